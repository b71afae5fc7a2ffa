//! The plots of the sweeps: four panels each, a line a peer.

use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::prelude::*;

use crate::figures::Figures;

pub(crate) struct Sweep {
    workload: &'static str,
    title: &'static str,
    x: &'static str,
    /// Whether `x` is a number of bytes.
    bytes: bool,
}

pub(crate) const SWEEPS: &[Sweep] = &[
    Sweep {
        workload: "callers",
        title: "Small calls on one connection",
        x: "callers",
        bytes: false,
    },
    Sweep {
        workload: "payload",
        title: "Bytes echoed to 4 callers on one connection",
        x: "bytes a message",
        bytes: true,
    },
    Sweep {
        workload: "connections",
        title: "Small calls, one caller a connection",
        x: "connections",
        bytes: false,
    },
];

const PANELS: [(&str, &str); 4] = [
    ("calls_s", "calls per second"),
    ("p50_us", "median, µs"),
    ("p99_us", "99th percentile, µs"),
    ("p999_us", "99.9th percentile, µs"),
];

const SIZE: (u32, u32) = (1_000, 760);
const FONT: &str = "sans-serif";
const LEGEND: u32 = 40;

/// Ours stands out; floors are grey.
fn style(peer: &str, index: usize) -> ShapeStyle {
    const COLOURS: [RGBColor; 5] = [
        RGBColor(31, 119, 180),
        RGBColor(255, 127, 14),
        RGBColor(44, 160, 44),
        RGBColor(148, 103, 189),
        RGBColor(140, 86, 75),
    ];
    match peer {
        "peer-rpc" => RGBColor(214, 39, 40).stroke_width(4),
        "floor-raw" => RGBColor(200, 200, 200).stroke_width(2),
        "floor-mux" => RGBColor(90, 90, 90).stroke_width(2),
        "floor-spawn" => RGBColor(150, 150, 150).stroke_width(2),
        _ => COLOURS[index % COLOURS.len()].stroke_width(2),
    }
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Writes `WORKLOAD.svg` into `folder`, unless the sweep was not measured.
pub(crate) fn draw(figures: &Figures, sweep: &Sweep, folder: &Path) -> Result<()> {
    let measured = |peer: &&String| !figures.sweep(peer, sweep.workload, "p50_us").is_empty();
    let peers: Vec<&str> = figures
        .peers
        .iter()
        .filter(measured)
        .map(String::as_str)
        .collect();
    if peers.is_empty() {
        return Ok(());
    }
    let path = folder.join(format!("{}.svg", sweep.workload));
    let root = SVGBackend::new(&path, SIZE).into_drawing_area();
    root.fill(&WHITE).map_err(|error| anyhow!("{error}"))?;
    let root = root
        .titled(sweep.title, (FONT, 24))
        .map_err(|error| anyhow!("{error}"))?;
    let (_, height) = root.dim_in_pixel();
    let (panels, names) = root.split_vertically(height - LEGEND);
    for (area, (metric, title)) in panels.split_evenly((2, 2)).iter().zip(PANELS) {
        let lines: Vec<_> = peers
            .iter()
            .map(|peer| (*peer, figures.sweep(peer, sweep.workload, metric)))
            .collect();
        panel(area, sweep, title, &lines).map_err(|error| anyhow!("{error}"))?;
    }
    legend(&names, &peers).map_err(|error| anyhow!("{error}"))?;
    root.present().map_err(|error| anyhow!("{error}"))
}

type Line<'a> = (&'a str, Vec<(f64, f64)>);
type Drawn = Result<(), Box<dyn std::error::Error>>;

fn panel(area: &Area<'_>, sweep: &Sweep, title: &str, lines: &[Line<'_>]) -> Drawn {
    let points = || lines.iter().flat_map(|(_, points)| points);
    let (left, right) = bounds(points().map(|(x, _)| *x));
    let (bottom, top) = bounds(points().map(|(_, y)| *y));
    let base = if sweep.bytes { 16.0 } else { 10.0 };
    let mut chart = ChartBuilder::on(area)
        .caption(title, (FONT, 17))
        .margin(8)
        .margin_right(24)
        .x_label_area_size(40)
        .y_label_area_size(60)
        .build_cartesian_2d(
            (left..right).log_scale().base(base),
            (bottom / 1.3..top * 1.3).log_scale(),
        )?;
    let name = |x: &f64| if sweep.bytes { bytes(*x) } else { count(*x) };
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .x_desc(sweep.x)
        .x_label_formatter(&name)
        .y_label_formatter(&|y| count(*y))
        .label_style((FONT, 13))
        .draw()?;
    for (index, (peer, points)) in lines.iter().enumerate() {
        let style = style(peer, index);
        chart.draw_series(LineSeries::new(points.iter().copied(), style))?;
        let dots = points
            .iter()
            .map(|point| Circle::new(*point, 3, style.filled()));
        chart.draw_series(dots)?;
    }
    Ok(())
}

fn legend(area: &Area<'_>, peers: &[&str]) -> Drawn {
    let (width, _) = area.dim_in_pixel();
    let step = width as i32 / peers.len() as i32;
    for (index, peer) in peers.iter().enumerate() {
        let (left, y) = (index as i32 * step + 12, LEGEND as i32 / 2);
        area.draw(&PathElement::new(
            [(left, y), (left + 20, y)],
            style(peer, index),
        ))?;
        let name = peer.trim_start_matches("peer-").to_owned();
        area.draw(&Text::new(name, (left + 25, y - 7), (FONT, 14)))?;
    }
    Ok(())
}

fn bounds(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::MAX, f64::MIN_POSITIVE), |(least, most), value| {
        (least.min(value), most.max(value))
    })
}

fn count(value: f64) -> String {
    match value {
        value if value >= 1e6 => format!("{} M", value / 1e6),
        value if value >= 1e4 => format!("{} k", value / 1e3),
        value => format!("{value}"),
    }
}

fn bytes(value: f64) -> String {
    match value {
        value if value >= 1_048_576.0 => format!("{:.0} MiB", value / 1_048_576.0),
        value if value >= 1_024.0 => format!("{:.0} KiB", value / 1_024.0),
        value => format!("{value:.0} B"),
    }
}
