//! The regions of a window, between which keys move the keyboard focus, and the mark of the focused widget.

use std::collections::BTreeMap;

use egui::{Context, Id, Rect, Stroke, StrokeKind, Ui};

use crate::theme;

/// A region of a window, in the order in which the focus moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Region {
    /// The tabs of the watchlists.
    Tabs,
    /// The rest of the top bar.
    Bar,
    /// The find bar.
    Find,
    /// The filter row.
    Filters,
    /// The rows.
    Grid,
    /// The history panel.
    History,
    /// The notices.
    Notices,
}

/// The regions that a frame has shown.
#[derive(Clone, Debug, Default)]
pub struct Regions(BTreeMap<Region, Shown>);

#[derive(Clone, Copy, Debug)]
struct Shown {
    area: Rect,
    /// The widget that gets the focus first.
    first: Id,
}

/// Records a region of the window that is being drawn, and the widget in it that gets the focus first.
pub fn record(ui: &Ui, region: Region, area: Rect, first: Id) {
    let id = regions_id(ui.ctx());
    ui.data_mut(|data| {
        let regions: &mut Regions = data.get_temp_mut_or_default(id);
        regions.0.entry(region).or_insert(Shown { area, first });
    });
}

/// Takes the regions of the last frame.
pub fn take_regions(ctx: &Context) -> Regions {
    let id = regions_id(ctx);
    ctx.data_mut(|data| std::mem::take(data.get_temp_mut_or_default::<Regions>(id)))
}

/// Every window has regions of its own.
fn regions_id(ctx: &Context) -> Id {
    Id::unique("regions").with(ctx.viewport_id())
}

impl Regions {
    /// Moves the focus to the next or previous region.
    pub fn move_focus(&self, ctx: &Context, is_next: bool) {
        let focused = ctx.memory(|memory| memory.focused());
        let current = self.region_of(ctx, focused).unwrap_or(Region::Grid);
        let later = || self.0.range(current..).filter(|(region, _)| **region != current);
        let earlier = || self.0.range(..current);
        let found = if is_next {
            later().chain(earlier()).next()
        } else {
            earlier().rev().chain(later().rev()).next()
        };
        let Some((region, shown)) = found else { return };
        ctx.memory_mut(|memory| match region {
            // The rows have the keys if nothing else has the focus.
            Region::Grid => focused.into_iter().for_each(|focused| memory.surrender_focus(focused)),
            _ => memory.request_focus(shown.first),
        });
        ctx.request_repaint();
    }

    /// Returns the region of a widget. Those that cover the rows come first.
    fn region_of(&self, ctx: &Context, widget: Option<Id>) -> Option<Region> {
        let widget = widget?;
        if self.is_grid(widget) {
            // In their first frame, notices may lie over its center.
            return Some(Region::Grid);
        }
        let center = ctx.read_response(widget)?.rect.center();
        let containing = |(region, shown): (&Region, &Shown)| shown.area.contains(center).then_some(*region);
        let covering = self.0.iter().rev().filter(|(region, _)| **region != Region::Grid);
        covering.chain(self.0.get_key_value(&Region::Grid)).find_map(containing)
    }

    fn is_grid(&self, widget: Id) -> bool {
        self.0.get(&Region::Grid).is_some_and(|grid| grid.first == widget)
    }
}

/// Outlines the focused widget. The rows and text fields mark the focus themselves.
pub fn paint(ui: &Ui, regions: &Regions) {
    let ctx = ui.ctx();
    let Some(focused) = ctx.memory(|memory| memory.focused()) else { return };
    if regions.is_grid(focused) || ui.text_edit_focused() {
        return;
    }
    let Some(widget) = ctx.read_response(focused) else { return };
    let accent = Stroke::new(2.0, ui.visuals().hyperlink_color);
    let painter = ctx.layer_painter(widget.layer_id).with_clip_rect(widget.interact_rect.expand(2.0));
    painter.rect_stroke(widget.rect, theme::RADIUS, accent, StrokeKind::Inside);
}
