//! Parts of a page that come and go. Leptos makes its own for these anew for each type of closure
//! they are used with, which takes much of the page; here the closures are boxed first.

use leptos::prelude::*;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex};

/// Its children while `on` is true.
#[component]
pub fn When(
    /// Whether they are there.
    #[prop(into)]
    on: Signal<bool>,
    /// What comes and goes.
    children: ChildrenFn,
) -> impl IntoView {
    let on = Memo::new(move |_| on.get());
    changing(move || if on.get() { children() } else { ().into_any() })
}

/// What `show` gives, made anew whenever what it reads changes. Everywhere of one type: what is
/// given out decides how much code there is for it.
pub fn changing(show: impl FnMut() -> AnyView + Send + 'static) -> AnyView {
    let show: Arc<Mutex<dyn FnMut() -> AnyView + Send>> = Arc::new(Mutex::new(show));
    show.into_any()
}

/// Words that change.
pub fn saying<T: IntoView + 'static>(words: impl Fn() -> T + Send + 'static) -> AnyView {
    changing(move || words().into_any())
}

/// A view for each of `items`, in their order. Those with the same `key` as before stay as they
/// are; `show` is asked for the others.
pub fn each<T: Send + 'static, K: Hash, V: IntoView + 'static>(
    items: impl Fn() -> Vec<T> + Send + Sync + 'static,
    key: impl Fn(&T) -> K + Send + Sync + 'static,
    show: impl Fn(T) -> V + Send + Sync + 'static,
) -> AnyView {
    let show = Arc::new(show);
    rows(Box::new(move || {
        let row = |item: T| {
            let mut fed = Fed::default();
            key(&item).hash(&mut fed);
            let show = Arc::clone(&show);
            Row { key: fed, show: Box::new(move || show(item).into_any()) }
        };
        items().into_iter().map(row).collect()
    }))
}

/// All that a hasher is fed with. A hash of it would be shorter, but who chooses what is in a key
/// could make two rows equal.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
struct Fed(Vec<u8>);

impl Hasher for Fed {
    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}

struct Row {
    key: Fed,
    show: Box<dyn FnOnce() -> AnyView + Send>,
}

fn rows(all: Box<dyn Fn() -> Vec<Row> + Send + Sync>) -> AnyView {
    view! {
        <For each=all key=|row| row.key.clone() let:row>
            {(row.show)()}
        </For>
    }
    .into_any()
}
