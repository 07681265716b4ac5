//! A choice of several: a button that opens a list, and radio buttons.

use egui::{ComboBox, Key, Response, Ui};

/// Draws a list that opens with the focus on the current choice, so that the arrow keys start there. The focus
/// returns to the button when keys close the list.
pub(super) fn choose<T: Clone + PartialEq>(
    ui: &mut Ui,
    label: &str,
    width: Option<f32>,
    current: &mut T,
    choices: &[(T, &str)],
) {
    let name = choices.iter().find(|(choice, _)| choice == current).map_or("", |(_, name)| *name);
    let list = ComboBox::from_id_salt(label).selected_text(name);
    let list = match width {
        Some(width) => list.width(width),
        None => list,
    };
    let shown = list.show_ui(ui, |ui| {
        let before = current.clone();
        let items: Vec<_> = choices
            .iter()
            .map(|(choice, name)| (choice, ui.selectable_label(*choice == before, *name)))
            .collect();
        if let Some((choice, _)) = items.iter().find(|(_, response)| response.clicked()) {
            current.clone_from(choice);
            ui.close();
        } else if !items.iter().any(|(_, response)| response.has_focus()) {
            let focused = items.iter().find(|(choice, _)| **choice == before);
            focused.into_iter().for_each(|(_, response)| response.request_focus());
        }
    });
    ui.ctx().accesskit_node_builder(shown.response.id, |node| node.set_label(label));
    // The list is still shown in the frame that closes it.
    let is_open = shown.inner.is_some();
    let is_clicked = ui.input(|input| input.pointer.any_pressed() || input.pointer.any_click());
    let id = shown.response.id.with("was open");
    let now = (is_open, is_clicked);
    let (was_open, was_clicked) = ui.data_mut(|data| std::mem::replace(data.get_temp_mut_or(id, now), now));
    if was_open && !is_open && !was_clicked {
        shown.response.request_focus();
    }
}

/// Draws a radio button for each choice. The arrow keys move the focus between them, and choose.
pub(super) fn radio_buttons<T: Clone + PartialEq>(
    ui: &mut Ui,
    current: &mut T,
    choices: impl IntoIterator<Item = (T, &'static str)>,
) -> Vec<Response> {
    const ARROWS: [Key; 4] = [Key::ArrowLeft, Key::ArrowRight, Key::ArrowUp, Key::ArrowDown];
    let choices: Vec<(T, &str)> = choices.into_iter().collect();
    let buttons: Vec<Response> =
        choices.iter().map(|(value, name)| ui.radio_value(current, value.clone(), *name)).collect();
    // An arrow moves the focus after the frame of the key.
    let has_arrow = ui.input(|input| ARROWS.iter().any(|arrow| input.key_pressed(*arrow)));
    let focused = buttons.iter().position(Response::has_focus);
    let id = ui.scope_id().with("focus");
    let before = ui.data_mut(|data| {
        std::mem::replace(data.get_temp_mut_or(id, Focus::default()), Focus { has_arrow, focused })
    });
    if let (Some(from), Some(to)) = (before.focused, focused)
        && from != to
        && (before.has_arrow || has_arrow)
    {
        current.clone_from(&choices[to].0);
        ui.ctx().request_repaint();
    }
    buttons
}

/// The radio button that had the focus in a frame, and whether an arrow was pressed.
#[derive(Clone, Copy, Default)]
struct Focus {
    has_arrow: bool,
    focused: Option<usize>,
}
