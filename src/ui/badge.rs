//! What somebody may do here.

use crate::text;
use chats_core::access::Role;
use leptos::prelude::*;

/// A role that is worth a mark; nothing for plain members.
#[component]
pub fn Badge(
    /// The role.
    role: Role,
) -> impl IntoView {
    let marked = matches!(role, Role::Moderator | Role::Owner);
    marked.then(|| view! { <span class="badge">{text::role(role)}</span> }.into_any())
}
