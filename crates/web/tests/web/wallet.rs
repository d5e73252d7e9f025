use crate::until;
use chats_core::id::Wallet;
use chats_web::wallet::{
    BrowserWallet, WalletError, WalletEvent,
    discovery::{Discovery, MAX_WALLETS},
    test_wallet::{Approve, LOCAL_CHAIN, TestWallet},
};
use js_sys::Function;
use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};
use wasm_bindgen::JsValue;
use wasm_bindgen_test::wasm_bindgen_test;

const ACCOUNT: &str = "0x70997970c51812dc3a010c7d01b50e0d17dc79c8";

/// Runs a script in the page, as a wallet's extension does.
fn run(script: &str) {
    Function::new_no_args(script).call0(&JsValue::UNDEFINED).expect("the script runs");
}

/// A wallet that announces itself; `answer` is the body of its `request({ method, params })`.
fn announce(uuid: &str, icon: &str, answer: &str) {
    run(&format!(
        r#"
        const handlers = {{}};
        const provider = {{
            request: async ({{ method, params }}) => {{ {answer} }},
            on: (event, handler) => {{ (handlers[event] ??= new Set()).add(handler); }},
            removeListener: (event, handler) => {{ handlers[event]?.delete(handler); }},
        }};
        window.emitFromWallet = (event, value) => {{
            for (const handler of handlers[event] ?? []) handler(value);
        }};
        window.countHandlers = () =>
            Object.values(handlers).reduce((sum, set) => sum + set.size, 0);
        const info = {{ uuid: "{uuid}", name: "Wallet {uuid}", icon: "{icon}", rdns: "test" }};
        const detail = Object.freeze({{ info, provider }});
        window.dispatchEvent(new CustomEvent("eip6963:announceProvider", {{ detail }}));
        "#
    ));
}

/// The wallet that `announce` makes with this answer.
fn wallet(answer: &str) -> BrowserWallet {
    let discovery = Discovery::start(|_| {});
    announce("one", "data:image/svg+xml,x", answer);
    discovery.wallets().pop().expect("a wallet")
}

fn account() -> Wallet {
    Wallet::parse(ACCOUNT).expect("an address")
}

#[wasm_bindgen_test]
async fn announced_wallets_are_listed_once_and_changes_are_reported() {
    let lists = Rc::new(RefCell::new(Vec::new()));
    let seen = Rc::clone(&lists);
    let discovery = Discovery::start(move |wallets| {
        let names: Vec<_> = wallets.iter().map(|wallet| wallet.name().to_owned()).collect();
        seen.borrow_mut().push(names);
    });
    assert!(discovery.wallets().is_empty());
    announce("a", "data:image/png;base64,AAAA", "");
    announce("a", "data:image/png;base64,AAAA", "");
    announce("b", "https://tracker.example/icon.png", "");
    assert!(lists.borrow().is_empty(), "told from within the announcement");
    until("both are reported", || lists.borrow().len() == 2).await;
    assert_eq!(lists.borrow().last(), Some(&vec!["Wallet a".to_owned(), "Wallet b".to_owned()]));
    let wallets = discovery.wallets();
    assert_eq!(wallets[0].icon(), Some("data:image/png;base64,AAAA"));
    assert_eq!(wallets[1].icon(), None, "icons from other hosts are not taken");
}

#[wasm_bindgen_test]
fn wallets_are_asked_to_announce_themselves() {
    run(r#"
        window.wasAsked = false;
        window.addEventListener("eip6963:requestProvider", () => { window.wasAsked = true; },
            { once: true });
    "#);
    let _discovery = Discovery::start(|_| {});
    run("if (!window.wasAsked) throw new Error('not asked');");
}

#[wasm_bindgen_test]
fn a_flood_of_wallets_and_malformed_ones_are_bounded() {
    let discovery = Discovery::start(|_| {});
    for detail in ["null", "{}", "{info:{uuid:'x',name:'X'}}", "{info:{uuid:1},provider:{}}"] {
        run(&format!(
            "window.dispatchEvent(new CustomEvent('eip6963:announceProvider', {{detail: {detail}}}))"
        ));
    }
    assert!(discovery.wallets().is_empty());
    for index in 0..40 {
        announce(&format!("w{index}"), "", "");
    }
    assert_eq!(discovery.wallets().len(), MAX_WALLETS);
}

#[wasm_bindgen_test]
fn window_ethereum_counts_only_if_nothing_announces_itself() {
    run("window.ethereum = { request: async () => null };");
    let discovery = Discovery::start(|_| {});
    let names = |discovery: &Discovery| -> Vec<String> {
        discovery.wallets().iter().map(|wallet| wallet.name().to_owned()).collect()
    };
    assert_eq!(names(&discovery), ["Browser wallet"]);
    announce("c", "", "");
    assert_eq!(names(&discovery), ["Wallet c"]);
    run("delete window.ethereum;");
}

#[wasm_bindgen_test]
async fn a_wallet_connects_tells_its_chain_and_signs_what_it_is_given() {
    let wallet = wallet(&format!(
        r#"
        if (method === "eth_requestAccounts") return ["{ACCOUNT}"];
        if (method === "eth_chainId") return "0x7a69";
        if (method === "personal_sign") return params[0] + params[1].slice(2);
        throw {{ code: 4200, message: "unsupported" }};
        "#
    ));
    assert_eq!(wallet.request_accounts().await, Ok(account()));
    assert_eq!(wallet.chain_id().await, Ok(31337));
    let signed = wallet.personal_sign("hé", account()).await.expect("signed");
    assert_eq!(signed, [&[b'h', 0xc3, 0xa9], account().0.as_slice()].concat());
}

#[wasm_bindgen_test]
async fn refusals_are_told_apart() {
    let cases = [
        ("throw { code: 4001, message: 'no' };", WalletError::Rejected),
        ("throw { code: 4100, message: 'no' };", WalletError::Unauthorized),
        ("throw { code: 4900, message: 'no' };", WalletError::Disconnected),
        ("throw { code: -32002, message: 'busy' };", WalletError::Pending),
        (
            "throw { code: -32603, message: 'x'.repeat(9999) };",
            WalletError::Other { code: -32603, message: "x".repeat(300) },
        ),
        ("throw 'plain text';", WalletError::Other { code: 0, message: "plain text".to_owned() }),
    ];
    for (answer, expected) in cases {
        assert_eq!(wallet(answer).request_accounts().await, Err(expected));
    }
}

#[wasm_bindgen_test]
async fn answers_that_make_no_sense_are_malformed() {
    for answer in ["return null;", "return [];", "return ['0x12'];", "return { 0: 1 };"] {
        let outcome = wallet(answer).request_accounts().await;
        assert!(matches!(outcome, Err(WalletError::Malformed { .. })), "{answer}: {outcome:?}");
    }
    let too_long = "return '0x' + '00'.repeat(5000);";
    for answer in ["return 7;", "return '0x';", "return '0xzz';", "return 'abcd';", too_long] {
        let outcome = wallet(answer).personal_sign("text", account()).await;
        assert!(matches!(outcome, Err(WalletError::Malformed { .. })), "{answer}: {outcome:?}");
    }
    for answer in ["return 'mainnet';", "return 1.5;", "return {};"] {
        let outcome = wallet(answer).chain_id().await;
        assert!(matches!(outcome, Err(WalletError::Malformed { .. })), "{answer}: {outcome:?}");
    }
}

#[wasm_bindgen_test]
async fn events_arrive_until_the_subscription_is_dropped() {
    let wallet = wallet("");
    let events = Rc::new(RefCell::new(Vec::new()));
    let seen = Rc::clone(&events);
    let subscription = wallet.on_event(move |event| seen.borrow_mut().push(event));
    run(&format!("window.emitFromWallet('accountsChanged', ['{ACCOUNT}']);"));
    run("window.emitFromWallet('accountsChanged', ['nonsense']);");
    run("window.emitFromWallet('chainChanged', '0x1');");
    run("window.emitFromWallet('disconnect', { code: 4900 });");
    until("all are reported", || events.borrow().len() == 3).await;
    assert_eq!(
        *events.borrow(),
        [
            WalletEvent::AccountsChanged(vec![account()]),
            WalletEvent::ChainChanged(1),
            WalletEvent::Disconnected
        ]
    );
    run("if (window.countHandlers() !== 3) throw new Error('not registered');");
    drop(subscription);
    run("if (window.countHandlers() !== 0) throw new Error('still registered');");
}

/// An approval that always gives `answer`, and how often it was asked.
fn approval(answer: bool) -> (Approve, Rc<Cell<u32>>) {
    let asked = Rc::new(Cell::new(0));
    let count = Rc::clone(&asked);
    let approve: Approve = Rc::new(move |_text| {
        count.set(count.get() + 1);
        Box::pin(async move { answer })
    });
    (approve, asked)
}

#[wasm_bindgen_test]
fn test_wallets_exist_on_the_local_chain_alone() {
    let (approve, _) = approval(true);
    for chain in [1, 42161, 31338] {
        assert!(TestWallet::all(chain, "http://127.0.0.1:8545", &approve).is_empty());
    }
    let names: Vec<String> = TestWallet::all(LOCAL_CHAIN, "http://127.0.0.1:8545", &approve)
        .iter()
        .map(|wallet| wallet.name().to_owned())
        .collect();
    assert_eq!(names.len(), 10);
    assert_eq!(names[0], "Test wallet 0 (owner)");
    assert_eq!(names[1], "Test wallet 1 (moderator)");
    assert_eq!(names[2], "Test wallet 2");
    assert_eq!(names[9], "Test wallet 9 (not a member)");
}

#[wasm_bindgen_test]
async fn a_test_wallet_asks_once_and_does_not_sign_what_was_rejected() {
    let (approve, asked) = approval(false);
    // Nothing answers there: a rejection must not even try.
    let wallets = TestWallet::all(LOCAL_CHAIN, "http://127.0.0.1:1", &approve);
    let wallet = BrowserWallet::Test(wallets[2].clone());
    let outcome = wallet.personal_sign("text", account()).await;
    assert_eq!(outcome, Err(WalletError::Rejected));
    assert_eq!(asked.get(), 1);
    assert_eq!(wallet.request_accounts().await, Err(WalletError::Disconnected));
    assert_eq!(asked.get(), 1, "connecting asks nothing");
}
