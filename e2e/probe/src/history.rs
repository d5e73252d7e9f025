//! What members wrote in a room over hours or days, as a backup that a page can take in.

use crate::{
    identity::{Wallets, device, now, random},
    ledger::say,
    town::{Ear, Town},
};
use anyhow::{Context, Result};
use chats_chain::{AlloyRpc, Communities};
use chats_core::{
    config::Config,
    content::Mentions,
    epoch::RoomTag,
    op::OpId,
    rooms::{Action, Passphrase},
    seats::{Change, Head},
    time::{Duration, Time},
};
use clap::Args;
use serde_json::json;
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// How long an endpoint may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long before now the last message was written.
const AGO: Duration = Duration::from_secs(600);
/// How many of the local chain's wallets, from the first, are moderators.
const MODERATORS: usize = 2;
/// How long members need to meet, and to be given the first keys.
const BEGINNING: Duration = Duration::from_secs(300);

#[derive(Args)]
pub(crate) struct Plan {
    /// How many messages.
    #[arg(long)]
    messages: u32,
    /// How many wallets of the local chain write them in turn, from the first.
    #[arg(long)]
    authors: usize,
    /// Milliseconds from one message to the next.
    #[arg(long)]
    every: u64,
    /// The file for all of it.
    #[arg(long)]
    whole: PathBuf,
    /// How many messages other files lack.
    #[arg(long, default_value_t = 100)]
    missing: u32,
    /// The file for all but the newest ones.
    #[arg(long)]
    earlier: Option<PathBuf>,
    /// The file for all but as many that lie all over it.
    #[arg(long)]
    scattered: Option<PathBuf>,
    /// The file for the keys alone.
    #[arg(long)]
    keys: Option<PathBuf>,
    /// What seals the files.
    #[arg(long)]
    passphrase: String,
}

/// What the chain says of the community.
pub(crate) async fn seats(config: &Config) -> Result<(Vec<Change>, Head)> {
    let endpoints = config.rpc.iter().map(|url| AlloyRpc::http(url, PATIENCE));
    let endpoints = endpoints.collect::<Result<Vec<_>, _>>()?;
    let chain = Communities::new(config.community.registry, endpoints);
    Ok(chain.history(config.community.id, 0, now()).await?)
}

pub(crate) async fn run(config: &Config, wallets: &Wallets, plan: &Plan) -> Result<()> {
    let length = Duration::from_millis(plan.every) * plan.messages;
    let begin = Time(now().0 - u64::try_from((length + AGO + BEGINNING).as_millis())?);
    let mut town = Town::new(config.community, seats(config).await?, begin);
    let come = |town: &mut Town, wallet: usize| {
        let secret = device()?;
        let certificate = wallets.certificate_of(wallets.get(wallet)?, &secret, town.now)?;
        let at = town.join(secret, certificate, [random()?, random()?, random()?])?;
        town.acquaint()?;
        anyhow::Ok(at)
    };
    for author in 0..plan.authors {
        come(&mut town, author)?;
    }
    let mut files = vec![(0, plan.whole.as_path())];
    // These only listen. They are of no moderator, for whom the others would wait to make a room,
    // and each of a wallet of its own: an older device would have to approve a second one.
    let mut wallet = plan.authors.max(MODERATORS)..;
    let mut listen = |town: &mut Town| come(town, wallet.next().context("no wallet is left")?);
    let mut listeners = Vec::new();
    for (file, lacks) in [(&plan.earlier, plan.newest()), (&plan.scattered, plan.scattered_ones()?)]
    {
        if let Some(file) = file {
            let at = listen(&mut town)?;
            files.push((at, file));
            listeners.push((at, lacks));
        }
    }
    let mut keys = None;
    if let Some(file) = &plan.keys {
        let at = listen(&mut town)?;
        files.push((at, file));
        keys = Some(at);
    }
    let all = town.devices.len();
    let room = town.first_room()?;
    // Nothing is lost here, so nothing need be compared. Nor does anybody count what was not read.
    town.syncs = false;
    let deaf = listeners.iter().map(|(at, _)| (*at, Ear::Gossip));
    for (at, ear) in deaf.chain(keys.map(|at| (at, Ear::Control))) {
        if let Some(listener) = town.devices.get_mut(at) {
            listener.ear = ear;
        }
    }
    for who in 0..all {
        town.act(who, Action::Read { room, upto: OpId([0xff; 32]) })?;
    }
    write(&mut town, room, plan, &listeners)?;
    // The newest key may still be on its way to one of them.
    town.open_all()?;
    let mut sizes = Vec::new();
    for (who, file) in files {
        sizes.push(save(&mut town, who, &plan.passphrase, file)?);
    }
    say(json!({ "event": "written", "messages": plan.messages, "bytes": sizes }));
    Ok(())
}

impl Plan {
    /// The numbers of the last messages.
    fn newest(&self) -> BTreeSet<u32> {
        (self.messages.saturating_sub(self.missing)..self.messages).collect()
    }

    /// As many of all, and not at even distances: that would be a pattern.
    fn scattered_ones(&self) -> Result<BTreeSet<u32>> {
        let mut numbers = BTreeSet::new();
        while numbers.len() < self.missing.min(self.messages) as usize {
            numbers.insert(u32::from_be_bytes(random()?) % self.messages);
        }
        Ok(numbers)
    }
}

/// Writes all messages. Listeners, by their numbers, do not hear some of them.
fn write(
    town: &mut Town,
    room: RoomTag,
    plan: &Plan,
    listeners: &[(usize, BTreeSet<u32>)],
) -> Result<()> {
    for number in 0..plan.messages {
        for (at, lacks) in listeners {
            if let Some(listener) = town.devices.get_mut(*at) {
                listener.ear = if lacks.contains(&number) { Ear::Control } else { Ear::Gossip };
            }
        }
        let markdown = format!(
            "message {number}: nothing much, but long enough to be one that somebody might have written"
        );
        let (reply, mentions) = (None, Mentions::default());
        let author = number as usize % plan.authors;
        town.act(author, Action::Write { room, markdown, reply, mentions })
            .with_context(|| format!("message {number}"))?;
        town.pass(Duration::from_millis(plan.every));
    }
    Ok(())
}

/// Saves what a device has, and gives how many bytes that is.
pub(crate) fn save(town: &mut Town, who: usize, passphrase: &str, file: &Path) -> Result<usize> {
    let passphrase = Passphrase::new(Zeroizing::new(passphrase.to_owned()));
    town.act(who, Action::Export { passphrase })?;
    let device = town.devices.get_mut(who).context("there is no such device")?;
    std::fs::write(file, &device.backup)
        .with_context(|| format!("cannot write {}", file.display()))?;
    Ok(device.backup.len())
}
