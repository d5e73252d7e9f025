//! The module of the worker that has the rooms: see [`chats_web::rooms`].

#[cfg(target_arch = "wasm32")]
fn main() {
    console_error_panic_hook::set_once();
    chats_web::rooms::worker::run();
}

/// There are workers in browsers only.
#[cfg(not(target_arch = "wasm32"))]
fn main() {}
