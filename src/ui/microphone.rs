//! Choosing a microphone and seeing that it hears.

use super::When;
use crate::model::MicrophoneChoice;
use crate::text::meeting;
use leptos::prelude::*;

/// Which microphone.
#[component]
pub fn MicrophoneSelect(
    /// Those there are.
    #[prop(into)]
    choices: Signal<Vec<MicrophoneChoice>>,
    /// The chosen one's id; empty for the browser's default.
    #[prop(into)]
    chosen: Signal<String>,
    /// Called with another one's id.
    on_choose: Callback<String>,
) -> impl IntoView {
    // The browser names none before it may be used, and may have none of the id kept from last time.
    let unnamed =
        move || !choices.with(|all| chosen.with(|id| all.iter().any(|choice| choice.id == *id)));
    let options = move || {
        let choices = choices.get();
        choices
            .into_iter()
            .map(|MicrophoneChoice { id, label }| {
                let value = id.clone();
                view! {
                    <option value=value prop:selected=move || chosen.with(|chosen| *chosen == id)>
                        {label}
                    </option>
                }
                .into_any()
            })
            .collect_view()
            .into_any()
    };
    view! {
        <div class="field">
            <label for="microphone">{meeting::MICROPHONE}</label>
            <select id="microphone" on:change=move |event| on_choose.run(event_target_value(&event))>
                <When on=unnamed>
                    <option value="" prop:selected=true>
                        {meeting::DEFAULT_MICROPHONE}
                    </option>
                </When>
                {super::changing(options)}
            </select>
        </div>
    }
}

/// How loud it is, as a bar that moves.
#[component]
pub fn LevelMeter(
    /// 0 to 1.
    #[prop(into)]
    level: Signal<f32>,
) -> impl IntoView {
    let percent = Memo::new(move |_| percent(level.get()));
    view! {
        <div
            class="meter"
            role="meter"
            aria-label=meeting::LEVEL
            aria-valuemin="0"
            aria-valuemax="100"
            aria-valuenow=move || percent.get().to_string()
            style:--level=move || percent.get().to_string()
        >
            <span></span>
        </div>
    }
}

/// A level as a whole number from 0 to 100, whatever comes in. So style sheets get it too: to write
/// a number with a fraction takes much more code.
pub fn percent(level: f32) -> u8 {
    // A cast from float saturates, and takes not-a-number for zero.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let percent = (level * 100.0).round() as u8;
    percent.min(100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test;

    #[wasm_bindgen_test]
    fn levels_beyond_the_scale_stay_on_it() {
        let levels = [-1.0, 0.0, 0.304, 1.0, 7.0, f32::NAN, f32::INFINITY];
        assert_eq!(levels.map(percent), [0, 0, 30, 100, 100, 0, 100]);
    }
}
