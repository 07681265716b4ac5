//! The theme: colours, fonts and sizes. No other module uses raw colours.

mod bidi;
mod contrast;
mod fonts;
pub mod palette;

use egui::{
    Context, CornerRadius, FontFamily, FontId, Margin, Stroke, Style, TextStyle, Theme, ThemePreference,
    Vec2, Visuals,
    style::{WidgetVisuals, Widgets},
};

pub use bidi::in_visual_order;
pub use contrast::{is_readable_on, mix, readable};
pub use fonts::MEDIUM;
pub use palette::Palette;
use serde::{Deserialize, Serialize};

/// The theme setting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ThemeChoice {
    /// Follows the system.
    #[default]
    System,
    /// Light on dark.
    Dark,
    /// Dark on light.
    Light,
}

/// Row height preset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Density {
    /// 22-point rows.
    #[default]
    Compact,
    /// 28-point rows.
    Comfortable,
}

impl Density {
    /// Returns the height of a row, in points.
    pub fn row_height(self) -> f32 {
        match self {
            Density::Compact => 22.0,
            Density::Comfortable => 28.0,
        }
    }
}

/// What glows when others change a cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Flash {
    /// Its row.
    #[default]
    Row,
    /// Only the cell.
    Cell,
}

/// Height of the bar above the grid, in points.
pub const TOP_BAR: f32 = 36.0;
/// Height of the bar below the grid, in points.
pub const STATUS_BAR: f32 = 22.0;
/// Corner radius of widgets, menus and windows, in points.
pub const RADIUS: u8 = 4;
/// Font size in the grid, in points.
pub const TEXT: f32 = 13.0;
/// Font size in headers and bars, in points.
pub const SMALL: f32 = 12.0;
/// Font size of row numbers, in points.
pub const NUMBER: f32 = 11.0;
/// Font size of marks on cells and headers, in points.
pub const TINY: f32 = 9.0;

/// Space that a dialog leaves on each side of a small window, with its own margin, in points.
const DIALOG_MARGIN: f32 = 24.0;

/// Sets the width of a dialog, in points, or less if the window is too small.
pub fn fit_width(ui: &mut egui::Ui, width: f32) {
    let room = ui.ctx().content_rect().width() - 2.0 * DIALOG_MARGIN;
    ui.set_width(width.min(room.max(0.0)));
}

/// Draws the title of a dialog.
pub fn dialog_title(ui: &mut egui::Ui, title: &str) {
    name_dialog(ui, title);
    ui.heading(title);
}

/// Gives a dialog the name that a screen reader says.
pub fn name_dialog(ui: &egui::Ui, name: &str) {
    let dialog = ui.stack().iter().find(|part| part.kind() == Some(egui::UiKind::Modal));
    if let Some(dialog) = dialog {
        ui.ctx().accesskit_node_builder(dialog.unique_id, |node| node.set_label(name));
    }
}

/// Font of text in the grid.
pub fn text() -> FontId {
    FontId::proportional(TEXT)
}

/// Font of emphasized text in the grid: one weight up.
pub fn strong() -> FontId {
    FontId::new(TEXT, FontFamily::Name(MEDIUM.into()))
}

/// Font of row numbers.
pub fn number() -> FontId {
    FontId::proportional(NUMBER)
}

/// Font of marks on cells and headers.
pub fn tiny() -> FontId {
    FontId::proportional(TINY)
}

/// Font of headers and bars.
pub fn small() -> FontId {
    FontId::proportional(SMALL)
}

/// Installs the fonts and the dark and light styles.
pub fn install(ctx: &Context) {
    ctx.set_fonts(fonts::definitions());
    set_palette(ctx, false);
    ctx.options_mut(|options| {
        // The commands have shortcuts of their own.
        options.quit_shortcuts.clear();
        options.zoom_with_keyboard = false;
    });
}

/// Sets the colours of both styles, from the standard or the colour-blind palettes.
pub fn set_palette(ctx: &Context, colour_blind: bool) {
    for theme in [Theme::Dark, Theme::Light] {
        ctx.set_style_of(theme, style(Palette::of(theme, colour_blind), theme));
    }
}

/// Applies the user's choice of theme.
pub fn set_preference(ctx: &Context, choice: ThemeChoice) {
    ctx.set_theme(match choice {
        ThemeChoice::System => ThemePreference::System,
        ThemeChoice::Dark => ThemePreference::Dark,
        ThemeChoice::Light => ThemePreference::Light,
    });
}

fn style(palette: &Palette, theme: Theme) -> Style {
    let mut style = Style { visuals: visuals(palette, theme), ..Style::default() };
    let sizes = [
        (TextStyle::Small, FontId::proportional(11.0)),
        (TextStyle::Body, FontId::proportional(TEXT)),
        (TextStyle::Button, FontId::proportional(TEXT)),
        (TextStyle::Monospace, FontId::monospace(TEXT)),
        (TextStyle::Heading, FontId::new(16.0, FontFamily::Name(MEDIUM.into()))),
    ];
    style.text_styles = sizes.into();
    style.spacing.item_spacing = Vec2::new(8.0, 8.0);
    style.spacing.button_padding = Vec2::new(8.0, 4.0);
    style.spacing.window_margin = Margin::same(16);
    style.spacing.menu_margin = Margin::same(4);
    style.spacing.interact_size.y = 24.0;
    style.interaction.selectable_labels = false;
    style.interaction.resize_grab_radius_side = 8.0;
    style
}

fn visuals(palette: &Palette, theme: Theme) -> Visuals {
    let mut visuals = match theme {
        Theme::Dark => Visuals::dark(),
        Theme::Light => Visuals::light(),
    };
    let widget = |fill, stroke, text| WidgetVisuals {
        bg_fill: fill,
        weak_bg_fill: fill,
        bg_stroke: stroke,
        corner_radius: CornerRadius::same(RADIUS),
        fg_stroke: Stroke::new(1.0, text),
        expansion: 0.0,
    };
    let hairline = Stroke::new(1.0, palette.hairline);
    visuals.widgets = Widgets {
        noninteractive: widget(palette.bars, hairline, palette.text),
        inactive: widget(palette.raised, Stroke::new(1.0, palette.outline), palette.text),
        hovered: widget(palette.hover, Stroke::new(1.0, palette.muted), palette.text),
        active: widget(palette.hover, Stroke::new(1.0, palette.accent), palette.text),
        open: widget(palette.hover, hairline, palette.text),
    };
    visuals.override_text_color = Some(palette.text);
    visuals.selection.bg_fill = mix(palette.background, palette.accent, 0.35);
    visuals.selection.stroke = Stroke::new(1.0, palette.accent);
    visuals.hyperlink_color = palette.accent;
    visuals.error_fg_color = palette.down;
    visuals.panel_fill = palette.background;
    visuals.window_fill = palette.bars;
    visuals.window_stroke = hairline;
    visuals.extreme_bg_color = palette.background;
    visuals.window_corner_radius = CornerRadius::same(RADIUS);
    visuals.menu_corner_radius = CornerRadius::same(RADIUS);
    visuals
}
