//! The demo's data: public, real, from the npm package `vega-datasets`, turned into lines for the console producer.
//!
//! | topic | region | what | key |
//! |---|---|---|---|
//! | `earthquakes` | west | a week of earthquakes (USGS), GeoJSON | event id |
//! | `flights` | west, east | departures of 2001 (US DOT), by the longitude of the airport | airport |
//! | `birdstrikes` | east | aircraft that hit wildlife (FAA) | airport name |
//! | `airports` | west | comes into being while the demo runs | IATA code |
//!
//! A line is `headers TAB key TAB value`, as `kafka-console-producer` reads it with `parse.headers` and `parse.key`.
//! Text that contains a tab or a line end cannot be said in that form; such rows are left out (there are none today).

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::failure::{Attempt as _, Failure, Result};

/// The package with its exact version: the demo shows the same data everywhere.
const PACKAGE: &str = "vega-datasets@3.2.1";

/// The value the console producer turns into null, so that deletions are copied too.
pub(super) const NULL_MARKER: &str = "__null__";

/// Airports west of this longitude (in degrees; it runs through Denver's plains) belong to the western region.
const BORDER_LONGITUDE: f64 = -100.0;

/// The lines of every topic of the demo.
#[derive(Debug, Default)]
pub(super) struct DataSet {
    pub(super) earthquakes: Vec<String>,
    pub(super) flights_west: Vec<String>,
    pub(super) flights_east: Vec<String>,
    pub(super) birdstrikes: Vec<String>,
    pub(super) airports: Vec<String>,
}

/// Installs the package under `directory` unless it is there, and reads it.
pub(super) fn provide(directory: &Path) -> Result<DataSet> {
    let data = directory
        .join("node_modules")
        .join("vega-datasets")
        .join("data");
    if !data.join("flights-20k.json").is_file() {
        install(directory)?;
    }
    let read = |name: &str| {
        let path = data.join(name);
        fs::read_to_string(&path).attempting(format!("read {}", path.display()))
    };
    data_set(
        &read("earthquakes.json")?,
        &read("flights-20k.json")?,
        &read("birdstrikes.csv")?,
        &read("airports.csv")?,
    )
}

fn install(directory: &Path) -> Result<()> {
    fs::create_dir_all(directory).attempting(format!("create {}", directory.display()))?;
    let output = Command::new("npm")
        .args([
            "install",
            "--ignore-scripts",
            "--no-save",
            "--no-audit",
            "--no-fund",
            "--prefix",
        ])
        .arg(directory)
        .arg(PACKAGE)
        .stdin(Stdio::null())
        .output()
        .attempting("start npm")?;
    if output.status.success() {
        return Ok(());
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    Err(Failure::new(format!(
        "npm could not install {PACKAGE} ({}); it needs its registry or a filled cache:\n{complaint}",
        output.status
    )))
}

fn data_set(
    earthquakes: &str,
    flights: &str,
    birdstrikes: &str,
    airports: &str,
) -> Result<DataSet> {
    let mut set = DataSet::default();
    let quakes: Value = serde_json::from_str(earthquakes).attempting("read earthquakes.json")?;
    for quake in quakes["features"].as_array().into_iter().flatten() {
        let place = if quake["properties"]["net"] == "ci" {
            "california"
        } else {
            "elsewhere"
        };
        let id = quake["id"].as_str().unwrap_or_default();
        push(
            &mut set.earthquakes,
            &format!("source:usgs,network:{place}"),
            id,
            &quake.to_string(),
        );
    }
    let longitudes = longitudes(airports);
    let flights: Value = serde_json::from_str(flights).attempting("read flights-20k.json")?;
    for flight in flights.as_array().into_iter().flatten() {
        let origin = flight["origin"].as_str().unwrap_or_default();
        let west = longitudes
            .get(origin)
            .is_some_and(|longitude| *longitude < BORDER_LONGITUDE);
        let lines = if west {
            &mut set.flights_west
        } else {
            &mut set.flights_east
        };
        push(lines, "source:dot", origin, &flight.to_string());
    }
    for row in birdstrikes.lines().skip(1) {
        // Quoted first fields do not occur; a comma inside one would only give a shorter key.
        let airport = row.split(',').next().unwrap_or_default();
        push(&mut set.birdstrikes, "source:faa", airport, row);
    }
    for row in airports.lines().skip(1) {
        push(
            &mut set.airports,
            "source:dot",
            row.split(',').next().unwrap_or_default(),
            row,
        );
    }
    let sizes = [
        &set.earthquakes,
        &set.flights_west,
        &set.flights_east,
        &set.birdstrikes,
        &set.airports,
    ];
    if sizes.iter().any(|lines| lines.is_empty()) {
        return Err(Failure::new(format!(
            "{PACKAGE} has not the data that the demo expects"
        )));
    }
    Ok(set)
}

/// Longitude by IATA code. It is the last column, so commas in the columns before it do no harm.
fn longitudes(airports: &str) -> HashMap<&str, f64> {
    let row = |line: &'_ str| -> Option<f64> { line.rsplit(',').next()?.trim().parse().ok() };
    airports
        .lines()
        .skip(1)
        .filter_map(|line| Some((line.split(',').next()?, row(line)?)))
        .collect()
}

fn push(lines: &mut Vec<String>, headers: &str, key: &str, value: &str) {
    let clean = |text: &str| !text.contains(['\t', '\n', '\r']);
    if clean(key) && clean(value) {
        lines.push(format!("{headers}\t{key}\t{value}"));
    }
}

/// A line that deletes the key of `line`.
pub(super) fn deletion_of(line: &str) -> String {
    match line.rsplit_once('\t') {
        Some((headers_and_key, _)) => format!("{headers_and_key}\t{NULL_MARKER}"),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUAKES: &str = r#"{"features":[{"id":"ci1","properties":{"net":"ci","mag":2}}]}"#;
    const FLIGHTS: &str = r#"[{"origin":"LAX","delay":1},{"origin":"JFK","delay":2}]"#;
    const BIRDS: &str = "Airport Name,Aircraft\nDALLAS,T-38A\n";
    const AIRPORTS: &str = "iata,name,city,state,country,latitude,longitude\n\
        LAX,\"Los Angeles, Intl\",Los Angeles,CA,USA,33.94,-118.40\nJFK,Kennedy,New York,NY,USA,40.6,-73.7\n";

    #[test]
    fn flights_go_to_the_region_of_their_airport() {
        let set = data_set(QUAKES, FLIGHTS, BIRDS, AIRPORTS).expect("all four are there");
        assert_eq!(
            set.flights_west,
            ["source:dot\tLAX\t{\"delay\":1,\"origin\":\"LAX\"}"]
        );
        assert_eq!(
            set.flights_east,
            ["source:dot\tJFK\t{\"delay\":2,\"origin\":\"JFK\"}"]
        );
    }

    #[test]
    fn every_line_has_headers_key_and_value() {
        let set = data_set(QUAKES, FLIGHTS, BIRDS, AIRPORTS).expect("all four are there");
        for line in [&set.earthquakes[0], &set.birdstrikes[0], &set.airports[0]] {
            assert_eq!(line.split('\t').count(), 3, "{line}");
        }
        assert_eq!(
            deletion_of(&set.birdstrikes[0]),
            "source:faa\tDALLAS\t__null__"
        );
    }

    #[test]
    fn a_package_without_the_expected_data_is_refused() {
        assert!(data_set(r#"{"features":[]}"#, FLIGHTS, BIRDS, AIRPORTS).is_err());
    }
}
