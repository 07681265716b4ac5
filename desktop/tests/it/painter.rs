//! A software renderer for snapshots, without a graphics card or a display. It draws the same on every
//! machine, so that pictures can be compared exactly.

#![expect(clippy::cast_possible_truncation, clippy::float_cmp, reason = "pixels are computed here")]

use std::collections::HashMap;

use egui::{
    Color32, ColorImage, Context, FullOutput, ImageData, Pos2, Rect, TextureId, TexturesDelta,
    epaint::{ClippedPrimitive, Mesh, Primitive, Vertex},
};
use egui_kittest::TestRenderer;
use image::{Rgba, RgbaImage};

#[derive(Default)]
pub struct CpuPainter {
    textures: HashMap<TextureId, ColorImage>,
}

impl TestRenderer for CpuPainter {
    #[expect(clippy::iter_over_hash_type, reason = "textures are independent")]
    fn handle_delta(&mut self, delta: &mut TexturesDelta) {
        for (id, changes) in delta.set.drain() {
            for change in changes {
                let ImageData::Color(image) = change.image;
                match (change.pos, self.textures.get_mut(&id)) {
                    (Some(at), Some(texture)) => patch(texture, at, &image),
                    _ => drop(self.textures.insert(id, (*image).clone())),
                }
            }
        }
        for id in delta.free.drain() {
            self.textures.remove(&id);
        }
    }

    fn render(&mut self, ctx: &Context, output: &FullOutput) -> Result<RgbaImage, String> {
        let scale = ctx.pixels_per_point();
        let size = ctx.content_rect().size() * scale;
        let mut picture = RgbaImage::from_pixel(size.x as u32, size.y as u32, Rgba([0, 0, 0, 255]));
        for ClippedPrimitive { clip_rect, primitive } in ctx.tessellate(output.shapes.clone(), scale) {
            let Primitive::Mesh(mesh) = primitive else {
                return Err("paint callbacks are not supported".to_owned());
            };
            let texture = self.textures.get(&mesh.texture_id).ok_or("a texture is missing")?;
            fill(&mut picture, &mesh, texture, clip_rect * scale, scale);
        }
        Ok(picture)
    }
}

fn patch(texture: &mut ColorImage, [left, top]: [usize; 2], image: &ColorImage) {
    for (y, row) in image.pixels.chunks(image.width()).enumerate() {
        let start = (top + y) * texture.width() + left;
        texture.pixels[start..start + row.len()].copy_from_slice(row);
    }
}

fn fill(picture: &mut RgbaImage, mesh: &Mesh, texture: &ColorImage, clip: Rect, scale: f32) {
    let size = egui::vec2(picture.width() as f32, picture.height() as f32);
    let clip = clip.intersect(Rect::from_min_size(Pos2::ZERO, size));
    for corners in mesh.indices.chunks(3) {
        let mut corners = [0, 1, 2].map(|corner| mesh.vertices[corners[corner] as usize]);
        corners.iter_mut().for_each(|corner| corner.pos *= scale);
        let area = cross(corners[0].pos, corners[1].pos, corners[2].pos);
        if area < 0.0 {
            corners.swap(1, 2);
        }
        if area != 0.0 {
            triangle(picture, &corners, area.abs(), texture, clip);
        }
    }
}

fn triangle(picture: &mut RgbaImage, corners: &[Vertex; 3], area: f32, texture: &ColorImage, clip: Rect) {
    let [a, b, c] = corners.map(|corner| corner.pos);
    let bounds = Rect::from_points(&[a, b, c]).intersect(clip);
    if !bounds.is_positive() {
        return;
    }
    // A pixel belongs to the triangle that contains its centre; on an edge, the top-left rule decides.
    let owns = |from: Pos2, to: Pos2| (from.y == to.y && to.x > from.x) || to.y < from.y;
    let edges = [(b, c), (c, a), (a, b)].map(|(from, to)| (from, to, owns(from, to)));
    let within = |value: f32| (value - 0.5).ceil().max(0.0) as u32;
    for y in within(bounds.top())..within(bounds.bottom()) {
        for x in within(bounds.left())..within(bounds.right()) {
            let at = egui::pos2(x as f32 + 0.5, y as f32 + 0.5);
            let weights = edges.map(|(from, to, owns)| {
                let weight = cross(from, to, at);
                if weight > 0.0 || weight == 0.0 && owns { weight / area } else { f32::NAN }
            });
            if !weights.iter().any(|weight| weight.is_nan()) {
                blend(picture.get_pixel_mut(x, y), shade(corners, weights, texture));
            }
        }
    }
}

/// Returns twice the signed area of a triangle, positive if it is clockwise on the screen.
fn cross(a: Pos2, b: Pos2, c: Pos2) -> f32 {
    (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x)
}

/// Returns the premultiplied red, green, blue and alpha of a pixel.
fn shade(corners: &[Vertex; 3], weights: [f32; 3], texture: &ColorImage) -> [f32; 4] {
    let mix = |of: &dyn Fn(&Vertex) -> f32| {
        corners.iter().zip(weights).map(|(corner, weight)| of(corner) * weight).sum::<f32>()
    };
    let texel = sample(texture, mix(&|corner| corner.uv.x), mix(&|corner| corner.uv.y));
    std::array::from_fn(|channel| {
        mix(&|corner| f32::from(corner.color.to_array()[channel])) * texel[channel] / 255.0
    })
}

fn sample(texture: &ColorImage, u: f32, v: f32) -> [f32; 4] {
    let [width, height] = texture.size;
    let (x, y) = (u * width as f32 - 0.5, v * height as f32 - 0.5);
    let texel = |x: f32, y: f32| -> Color32 {
        let column = (x.max(0.0) as usize).min(width - 1);
        let row = (y.max(0.0) as usize).min(height - 1);
        texture.pixels[row * width + column]
    };
    let (left, top) = (x.floor(), y.floor());
    let (right_share, bottom_share) = (x - left, y - top);
    let corners = [
        (texel(left, top), (1.0 - right_share) * (1.0 - bottom_share)),
        (texel(left + 1.0, top), right_share * (1.0 - bottom_share)),
        (texel(left, top + 1.0), (1.0 - right_share) * bottom_share),
        (texel(left + 1.0, top + 1.0), right_share * bottom_share),
    ];
    std::array::from_fn(|channel| {
        corners.iter().map(|(color, share)| f32::from(color.to_array()[channel]) * share).sum()
    })
}

fn blend(pixel: &mut Rgba<u8>, [red, green, blue, alpha]: [f32; 4]) {
    for (channel, over) in [red, green, blue].into_iter().enumerate() {
        let under = f32::from(pixel.0[channel]);
        pixel.0[channel] = (over + under * (1.0 - alpha / 255.0)).round().clamp(0.0, 255.0) as u8;
    }
}
