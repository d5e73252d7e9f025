//! Community Chats: the page.

mod engine;
mod model;
mod route;

fn main() {
    console_error_panic_hook::set_once();
    let model = model::Model::new();
    let _actions = engine::start(model);
}
