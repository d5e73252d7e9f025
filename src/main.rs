//! Community Chats: the page.

mod engine;
mod model;
mod route;

fn main() {
    console_error_panic_hook::set_once();
}
