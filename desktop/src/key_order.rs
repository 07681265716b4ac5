//! Gives egui the keys of a person one step at a time.
//!
//! egui delivers everything that was typed since the last frame to what is shown now. But a key may open or close
//! a dialog, move the focus or the cursor, and what is typed after it is meant for what it leads to. A frame
//! may take longer than the time between two keys.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use egui::{Context, Event, FullOutput, Key, OutputCommand, Plugin, Pos2, RawInput, Ui, ViewportId};

/// Number of passes to wait after a step: what it leads to is shown in the next pass, and has the focus in the one
/// after that.
const SETTLING: usize = 1;
/// Distance from which a pressed pointer drags, in points.
const DRAG_DISTANCE: f32 = 6.0;
/// Number of events from which on the passes in between are left out: input that no person types.
const MAX_HELD: usize = 256;

/// The plugin, which delivers at most one step in a pass, and what follows it once it has had its effect.
#[derive(Default)]
pub struct KeyOrder {
    queues: BTreeMap<ViewportId, Queue>,
    /// Text of the last copy, while a paste waits for which the clipboard was read before.
    copied: Option<String>,
}

/// Input of a window that is not delivered yet.
#[derive(Default)]
struct Queue {
    events: VecDeque<Event>,
    /// Number of passes until the next step.
    settling: usize,
    /// The keys that are held down.
    down: BTreeSet<Key>,
    /// Whether a step ends with the text that follows.
    ends_with_text: bool,
    /// Number of events at the front that were there when a text was copied.
    before_copy: usize,
    /// Where the pointer was pressed, until it is released.
    pressed_at: Option<Pos2>,
}

impl KeyOrder {
    /// Adds the plugin to a context.
    pub fn install(ctx: &Context) {
        ctx.add_plugin(Self::default());
    }
}

impl Plugin for KeyOrder {
    fn debug_name(&self) -> &'static str {
        "key order"
    }

    fn input_hook(&mut self, _: &Context, input: &mut RawInput) {
        let queue = self.queues.entry(input.viewport_id).or_default();
        queue.events.extend(input.events.drain(..));
        let is_settling = count_down(&mut queue.settling) && queue.events.len() <= MAX_HELD;
        if is_settling && queue.events.iter().any(is_for_focus) {
            return;
        }
        let (mut has_dragged, mut has_typed) = (false, false);
        while let Some(event) = queue.events.pop_front() {
            if has_typed && matches!(event, Event::PointerButton { pressed: true, .. }) {
                // What was typed before a click is for what had the focus, which opens an editor first.
                queue.events.push_front(event);
                queue.settling = SETTLING + 1;
                break;
            }
            has_typed |= matches!(event, Event::Text(_) | Event::Ime(_));
            if has_dragged && is_release(&event) {
                // The pass before the release is where the drag has led to.
                queue.events.push_front(event);
                break;
            }
            has_dragged |= queue.is_drag(&event);
            let is_stale = count_down(&mut queue.before_copy);
            let is_step = queue.is_step(&event);
            let begins_drag = queue.begins_drag(&event);
            input.events.push(match (event, &self.copied) {
                (Event::Paste(_), Some(copied)) if is_stale => Event::Paste(copied.clone()),
                (event, _) => event,
            });
            if is_step {
                queue.settling = SETTLING;
                break;
            }
            if begins_drag {
                break;
            }
        }
        if self.queues.values().all(|queue| queue.before_copy == 0) {
            self.copied = None;
        }
    }

    fn on_begin_pass(&mut self, ui: &mut Ui) {
        if self.queues.get(&ui.ctx().viewport_id()).is_some_and(|queue| !queue.events.is_empty()) {
            ui.ctx().request_repaint();
        }
    }

    fn output_hook(&mut self, _: &Context, output: &mut FullOutput) {
        for command in &output.platform_output.commands {
            if let OutputCommand::CopyText(text) = command {
                self.copied = Some(text.clone());
                self.queues.values_mut().for_each(|queue| queue.before_copy = queue.events.len());
            }
        }
    }
}

/// Counts down to zero; returns false if it was reached before.
fn count_down(count: &mut usize) -> bool {
    let is_left = *count > 0;
    *count = count.saturating_sub(1);
    is_left
}

/// Whether an event goes to what has the focus.
fn is_for_focus(event: &Event) -> bool {
    matches!(
        event,
        Event::Key { pressed: true, .. }
            | Event::Text(_)
            | Event::Copy
            | Event::Cut
            | Event::Paste(_)
            | Event::Ime(_)
            | Event::PointerButton { .. }
            | Event::AccessKitActionRequest(_)
    )
}

/// Whether an event releases the pointer.
fn is_release(event: &Event) -> bool {
    matches!(event, Event::PointerButton { pressed: false, .. })
}

impl Queue {
    /// Whether an event moves the pressed pointer far enough for a drag.
    fn is_drag(&self, event: &Event) -> bool {
        let is_far = |from: Pos2, to: &Pos2| from.distance(*to) > DRAG_DISTANCE;
        matches!((self.pressed_at, event), (Some(from), Event::PointerMoved(to)) if is_far(from, to))
    }

    /// Records a press or a release of the pointer. Returns whether a drag follows, whose beginning is a pass of its
    /// own.
    fn begins_drag(&mut self, event: &Event) -> bool {
        match event {
            Event::PointerButton { pressed: true, pos, .. } => {
                self.pressed_at = Some(*pos);
                self.events.iter().take_while(|event| !is_release(event)).any(|event| self.is_drag(event))
            }
            Event::PointerButton { pressed: false, .. }
            | Event::PointerGone
            | Event::WindowFocused(false) => {
                self.pressed_at = None;
                false
            }
            _ => false,
        }
    }

    /// Whether what follows an event must wait for its effect. A key that writes a text is followed by it; one that
    /// is held down goes on with what it has begun.
    fn is_step(&mut self, event: &Event) -> bool {
        match event {
            Event::Key { key, pressed: true, modifiers, .. } => {
                let is_repeated = !self.down.insert(*key);
                let writes = matches!(self.events.front(), Some(Event::Text(_))) && may_write(*key);
                let is_shortcut = modifiers.alt != (modifiers.ctrl || modifiers.command);
                // On Linux, Alt with a letter comes with the text of the letter.
                self.ends_with_text = writes && is_shortcut && modifiers.alt;
                !is_repeated && (!writes || is_shortcut && !modifiers.alt)
            }
            Event::Key { key, pressed: false, .. } => {
                self.down.remove(key);
                false
            }
            Event::WindowFocused(false) => {
                self.down.clear();
                false
            }
            // It also presses the focused button.
            Event::Text(text) => std::mem::take(&mut self.ends_with_text) || text == " ",
            // The second click of a double click follows at once, another click in its turn.
            Event::PointerButton { pressed: false, pos, .. } => {
                match self.events.iter().find(|event| is_for_focus(event)) {
                    Some(Event::PointerButton { pos: next, .. }) => pos.distance(*next) > DRAG_DISTANCE,
                    _ => true,
                }
            }
            Event::Copy | Event::Cut | Event::Paste(_) | Event::AccessKitActionRequest(_) => true,
            _ => false,
        }
    }
}

/// Whether a key may write a text.
fn may_write(key: Key) -> bool {
    use Key as K;
    let moves = matches!(
        key,
        K::ArrowDown | K::ArrowLeft | K::ArrowRight | K::ArrowUp | K::Home | K::End | K::PageUp | K::PageDown
    );
    let acts = matches!(key, K::Enter | K::Escape | K::Tab | K::Insert | K::Delete | K::Backspace);
    let is_function = key.name().strip_prefix('F').is_some_and(|number| number.parse::<u8>().is_ok());
    !(moves || acts || is_function)
}

#[cfg(test)]
mod tests {
    use egui::Modifiers;

    use super::*;

    fn key(key: Key) -> Event {
        Event::Key { key, physical_key: None, pressed: true, repeat: false, modifiers: Modifiers::NONE }
    }

    fn text(text: &str) -> Event {
        Event::Text(text.to_owned())
    }

    /// Draws a frame with new input; returns the input that the frame has had, and whether another one follows at once.
    fn frame(ctx: &Context, new: Vec<Event>, copies: Option<&str>) -> (Vec<Event>, bool) {
        let mut seen = Vec::new();
        let output = ctx.run_ui(RawInput { events: new, ..RawInput::default() }, |ui| {
            seen = ui.input(|input| input.events.clone());
            copies.into_iter().for_each(|text| ui.copy_text(text.to_owned()));
        });
        let delay = output.viewport_output[&ViewportId::ROOT].repaint_delay;
        output.drop_without_applying_deltas();
        (seen, delay.is_zero())
    }

    fn context() -> Context {
        let ctx = Context::default();
        KeyOrder::install(&ctx);
        (0..3).for_each(|_| drop(frame(&ctx, Vec::new(), None)));
        ctx
    }

    #[test]
    fn what_follows_a_key_waits_for_its_effect() {
        let ctx = context();
        let typed = vec![key(Key::Num5), text("5"), key(Key::Enter), key(Key::Num7), text("7"), text("8")];
        assert_eq!(frame(&ctx, typed, None), (vec![key(Key::Num5), text("5"), key(Key::Enter)], true));
        assert_eq!(frame(&ctx, vec![text("9")], None), (vec![], true));
        assert_eq!(frame(&ctx, vec![], None).0, [key(Key::Num7), text("7"), text("8"), text("9")]);
        assert_eq!(frame(&ctx, vec![key(Key::Tab)], None).0, [key(Key::Tab)]);
        assert_eq!(frame(&ctx, vec![], None).0, []);
        assert_eq!(frame(&ctx, vec![text("1")], None).0, [text("1")], "it has had its effect by now");
    }

    #[test]
    fn the_pointer_moves_on_and_a_key_that_is_held_down_repeats() {
        let ctx = context();
        let moved = Event::PointerMoved(egui::pos2(1.0, 1.0));
        assert_eq!(frame(&ctx, vec![key(Key::Escape)], None).0, [key(Key::Escape)]);
        assert_eq!(frame(&ctx, vec![moved.clone()], None).0, [moved]);
        let release = |key| Event::Key {
            key,
            physical_key: None,
            pressed: false,
            repeat: false,
            modifiers: Modifiers::NONE,
        };
        let count = |events: Vec<Event>| frame(&ctx, events, None).0.len();
        let down = || key(Key::ArrowDown);
        assert_eq!(count(vec![down()]), 1);
        assert_eq!(count(vec![down(), down()]), 0, "the first one shows its effect");
        assert_eq!(count(vec![down(), release(Key::ArrowDown), down(), text("1")]), 5);
        assert_eq!([count(vec![]), count(vec![])], [0, 1]);
    }

    #[test]
    fn a_paste_that_follows_a_copy_pastes_what_it_has_copied() {
        let paste = |text: &str| Event::Paste(text.to_owned());
        for (copied, pasted) in [(Some("new"), "new"), (None, "old")] {
            let ctx = context();
            let typed = vec![Event::Copy, key(Key::ArrowDown), paste("old")];
            assert_eq!(frame(&ctx, typed, copied).0, [Event::Copy]);
            assert_eq!(frame(&ctx, vec![], None).0, []);
            assert_eq!(frame(&ctx, vec![], None).0, [key(Key::ArrowDown)]);
            assert_eq!(frame(&ctx, vec![paste("later")], None).0, []);
            assert_eq!(frame(&ctx, vec![], None).0, [paste(pasted)]);
            assert_eq!(frame(&ctx, vec![], None).0, []);
            assert_eq!(
                frame(&ctx, vec![], None).0,
                [paste("later")],
                "the clipboard was read after the copy"
            );
        }
    }

    #[test]
    fn a_double_click_is_delivered_at_once_and_a_button_pressed_by_space_is_a_step() {
        let ctx = context();
        let button = |pressed| Event::PointerButton {
            pos: egui::Pos2::ZERO,
            button: egui::PointerButton::Primary,
            pressed,
            modifiers: Modifiers::NONE,
        };
        let elsewhere = |pressed| Event::PointerButton {
            pos: egui::pos2(90.0, 1.0),
            button: egui::PointerButton::Primary,
            pressed,
            modifiers: Modifiers::NONE,
        };
        let two = vec![text("1"), button(true), button(false), elsewhere(true), elsewhere(false)];
        let passes: Vec<usize> = std::iter::once(frame(&ctx, two, None).0.len())
            .chain((0..6).map(|_| frame(&ctx, vec![], None).0.len()))
            .collect();
        assert_eq!(passes, [1, 0, 0, 2, 0, 2, 0], "a text, a click, and one elsewhere");
        let clicks = vec![button(true), button(false), button(true), button(false), text("1")];
        assert_eq!(frame(&ctx, clicks, None).0.len(), 4);
        assert_eq!((0..2).map(|_| frame(&ctx, vec![], None).0.len()).collect::<Vec<_>>(), [0, 1]);
        let alt = Event::Key {
            key: Key::S,
            physical_key: None,
            pressed: true,
            repeat: false,
            modifiers: Modifiers::ALT,
        };
        assert_eq!(frame(&ctx, vec![alt, text("s"), key(Key::Escape)], None).0.len(), 2, "Alt and a letter");
        assert_eq!((0..2).map(|_| frame(&ctx, vec![], None).0.len()).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(frame(&ctx, vec![], None).0, []);
        assert_eq!(frame(&ctx, vec![key(Key::Space), text(" "), text("1")], None).0.len(), 2);
    }

    #[test]
    fn the_beginning_the_way_and_the_end_of_a_drag_are_passes_of_their_own() {
        let ctx = context();
        let at = |y| egui::pos2(5.0, y);
        let button = |pressed, y| Event::PointerButton {
            pos: at(y),
            button: egui::PointerButton::Primary,
            pressed,
            modifiers: Modifiers::NONE,
        };
        let way = [Event::PointerMoved(at(20.0)), Event::PointerMoved(at(60.0))];
        let drag = [vec![button(true, 1.0)], way.to_vec(), vec![button(false, 60.0), text("1")]].concat();
        assert_eq!(frame(&ctx, drag, None).0, [button(true, 1.0)]);
        assert_eq!(frame(&ctx, vec![], None).0, way);
        assert_eq!(frame(&ctx, vec![], None).0, [button(false, 60.0)]);
        assert_eq!((0..2).map(|_| frame(&ctx, vec![], None).0.len()).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(frame(&ctx, vec![button(true, 1.0)], None).0.len(), 1);
        let end = vec![Event::PointerMoved(at(60.0)), button(false, 60.0)];
        assert_eq!(frame(&ctx, end, None).0, [Event::PointerMoved(at(60.0))]);
        assert_eq!(frame(&ctx, vec![], None).0, [button(false, 60.0)]);
    }

    #[test]
    fn input_that_no_person_types_does_not_fall_behind() {
        let ctx = context();
        let many: Vec<Event> = (0..2 * MAX_HELD).map(|_| Event::Copy).collect();
        let _first = frame(&ctx, many, None);
        let passes = (1..).find(|_| frame(&ctx, vec![], None).0.is_empty()).unwrap();
        assert!(
            passes > MAX_HELD - 2,
            "the passes in between are left out until {MAX_HELD} are left: {passes}"
        );
    }

    #[test]
    fn every_window_has_its_own_input() {
        let (ctx, mut order) = (Context::default(), KeyOrder::default());
        let other = ViewportId::from_hash_of("other");
        let mut given = |viewport_id, events| {
            let mut input = RawInput { viewport_id, events, ..RawInput::default() };
            order.input_hook(&ctx, &mut input);
            input.events
        };
        assert_eq!(given(ViewportId::ROOT, vec![key(Key::Enter), text("7")]), [key(Key::Enter)]);
        assert_eq!(given(other, vec![text("1")]), [text("1")]);
        assert_eq!(given(ViewportId::ROOT, vec![]), []);
        assert_eq!(given(other, vec![]), []);
        assert_eq!(given(ViewportId::ROOT, vec![]), [text("7")]);
    }
}
