//! The report's medians as a picture: a bar for each replicator, on a logarithmic scale because they lie a hundred times apart.

use super::push;

const WIDTH: f64 = 760.0;
const LABELS: f64 = 230.0;
const BAR: f64 = 22.0;
const HEADING: f64 = 40.0;
/// Powers of ten at both ends of the scale.
const DECADES: [i32; 2] = [-1, 2];

/// A bar: its name, and median, lowest and highest CPU-s/GB.
pub(super) type Bar = (String, [f64; 3]);

/// Groups of bars under a heading each, as SVG.
pub(super) fn chart(groups: &[(String, Vec<Bar>)]) -> String {
    let rows: usize = groups.iter().map(|(_, bars)| bars.len()).sum();
    let height = HEADING * (groups.len() as f64 + 0.5) + rows as f64 * BAR + 34.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#fff\"/>\n"
    );
    let bottom = height - 30.0;
    for decade in DECADES[0]..=DECADES[1] {
        let (x, value) = (place(10_f64.powi(decade)), 10_f64.powi(decade));
        push(
            &mut svg,
            format_args!(
                "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"10\" y2=\"{bottom}\" stroke=\"#ddd\"/>\
             <text x=\"{x:.1}\" y=\"{:.0}\" fill=\"#666\" text-anchor=\"middle\">{value}</text>\n",
                bottom + 16.0
            ),
        );
    }
    let mut y = 10.0;
    for (heading, bars) in groups {
        y += HEADING;
        push(
            &mut svg,
            format_args!(
                "<text x=\"8\" y=\"{:.0}\" font-weight=\"bold\">{heading}: processor seconds per GB, steady</text>\n",
                y - 14.0
            ),
        );
        for (name, [median, low, high]) in bars {
            let (end, from, to) = (place(*median), place(*low), place(*high));
            let fill = if name.starts_with("Tributary") {
                "#0a7d62"
            } else {
                "#8a94a6"
            };
            let middle = y + BAR / 2.0;
            push(
                &mut svg,
                format_args!(
                    "<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\">{name}</text>\
                 <rect x=\"{LABELS}\" y=\"{:.0}\" width=\"{:.1}\" height=\"{:.0}\" fill=\"{fill}\"/>\
                 <line x1=\"{from:.1}\" x2=\"{to:.1}\" y1=\"{middle}\" y2=\"{middle}\" stroke=\"#222\"/>\
                 <text x=\"{:.1}\" y=\"{:.0}\">{median:.2}</text>\n",
                    LABELS - 8.0,
                    middle + 4.0,
                    y + 3.0,
                    (end - LABELS).max(0.0),
                    BAR - 6.0,
                    end.max(to) + 6.0,
                    middle + 4.0
                ),
            );
            y += BAR;
        }
    }
    svg.push_str("</svg>\n");
    svg
}

/// Where a value lies.
fn place(value: f64) -> f64 {
    let [first, last] = DECADES.map(f64::from);
    let share = (value.log10() - first) / (last - first);
    LABELS + share.clamp(0.0, 1.0) * (WIDTH - LABELS - 60.0)
}
