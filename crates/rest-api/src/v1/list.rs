//! Lists: filtered, ordered, cut into pages, as JSON or CSV. Pure.

use std::cmp::Ordering;
use std::fmt::Write as _;
use std::time::SystemTime;

use serde_json::{Value, json};
use worker_group::Refusal;
use worker_group::detail::instant;

use super::gather::severity;
use super::topic::badness;
use crate::query::Query;

/// Items of a page, unless asked for others, and at most.
const LIMIT: usize = 100;
const MOST: usize = 1000;
/// Parameters that are no filters.
const RESERVED: [&str; 7] = [
    "limit",
    "cursor",
    "sort",
    "q",
    "scope",
    "include_excluded",
    "as",
];

/// The worst first: by what kind of row it is, then by lag, then by name.
pub(crate) fn worst_first(rows: &mut [Value]) {
    let rank = |row: &Value| -> u8 {
        if let Some(health) = row["health"].as_str() {
            return severity(health);
        }
        if let Some(verdict) = row["verdict"].as_str() {
            return rank_of_verdict(verdict);
        }
        rank_of_class(row["state_class"].as_str().unwrap_or_default())
    };
    // Rows come ordered by name, and sorting keeps that among equals.
    rows.sort_by(|one, two| {
        let by_rank = rank(one).cmp(&rank(two));
        by_rank.then_with(|| compared(field(two, "lag_seconds"), field(one, "lag_seconds")))
    });
}

/// Where a partition of this verdict stands; the worst are 0.
pub(crate) fn rank_of_verdict(verdict: &str) -> u8 {
    3 - badness(verdict).min(3)
}

/// Where a topic whose state is of this class stands; the worst are 0.
pub(crate) fn rank_of_class(class: &str) -> u8 {
    match class {
        "failing" => 0,
        "neutral" => 1,
        "creating" => 2,
        _ => 3,
    }
}

/// A field by its name; `lag_seconds` is that of `lag`, and of what happened to something its link is the row's.
fn field<'a>(row: &'a Value, name: &str) -> &'a Value {
    match row.get(name) {
        Some(value) => value,
        None => match name.split_once('_') {
            Some((first, rest)) if row[first].is_object() => &row[first][rest],
            _ => &row["object"][name],
        },
    }
}

fn compared(one: &Value, two: &Value) -> Ordering {
    match (one, two) {
        (Value::Number(one), Value::Number(two)) => one
            .as_f64()
            .unwrap_or(0.0)
            .total_cmp(&two.as_f64().unwrap_or(0.0)),
        // What is not known stands where the largest stands: it may be that.
        (Value::Null, Value::Null) => Ordering::Equal,
        (Value::Null, _) => Ordering::Greater,
        (_, Value::Null) => Ordering::Less,
        _ => cell(one).cmp(&cell(two)),
    }
}

/// A value as one text.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The page of `rows` that `query` asks for. `rows` come in the order that holds unless another is asked for.
pub(crate) fn page(
    kind: &str,
    mut rows: Vec<Value>,
    query: &Query,
    now: SystemTime,
) -> Result<Value, Refusal> {
    if let Some(text) = query.first("q").filter(|text| !text.is_empty()) {
        let text = text.to_lowercase();
        rows.retain(|row| holds(row, &text));
    }
    for (name, wanted) in query.pairs() {
        if !RESERVED.contains(&name) {
            let known = rows.first().is_none_or(|row| {
                // What something happened to differs from row to row.
                let has = row.get(name).is_some() || row["object"].is_object();
                has || !field(row, name).is_null()
            });
            if !known {
                return Err(Refusal::bad(format!(
                    "{kind} has no field {name} to filter by"
                )));
            }
            rows.retain(|row| wanted.split(',').any(|one| cell(field(row, name)) == one));
        }
    }
    if let Some(sort) = query.first("sort") {
        let (name, falling) = match sort.strip_prefix('-') {
            Some(name) => (name, true),
            None => (sort, false),
        };
        rows.sort_by(|one, two| {
            let order = compared(field(one, name), field(two, name));
            if falling { order.reverse() } else { order }
        });
    }
    let (begin, limit) = piece(query)?;
    let total = rows.len();
    let items = rows.into_iter().skip(begin).take(limit).collect();
    Ok(shown(kind, items, (begin, total), now))
}

/// Where a page begins, and how many items it has at most.
fn piece(query: &Query) -> Result<(usize, usize), Refusal> {
    let number = |name: &str, default: usize| match query.first(name) {
        None | Some("") => Ok(default),
        Some(text) => text
            .parse::<usize>()
            .map_err(|_| Refusal::bad(format!("{name} {text} is not a whole number"))),
    };
    Ok((number("cursor", 0)?, number("limit", LIMIT)?.clamp(1, MOST)))
}

fn shown(kind: &str, items: Vec<Value>, (begin, total): (usize, usize), now: SystemTime) -> Value {
    let end = begin + items.len();
    json!({
        "schema": format!("tributary/v1/{kind}"),
        "items": items,
        "total": total,
        "next_cursor": (end < total).then(|| end.to_string()),
        "incomplete": [],
        "as_of": instant(now),
    })
}

/// Lags by which rows may be ordered before they are made.
const LAGS: [&str; 3] = ["lag_seconds", "lag_records", "lag_bytes"];

/// What stands for a row that is not made yet: how bad it is, the worst first, and its lags; nothing where they are not known.
pub(crate) struct Rank {
    pub(crate) bad: u8,
    pub(crate) lags: [Option<f64>; 3],
}

/// An order that needs no row: the worst first, or by a lag, falling or not. Nothing where rows are asked for by what is in them.
fn order(query: &Query) -> Option<Option<(usize, bool)>> {
    let about_contents = query
        .pairs()
        .any(|(name, value)| !RESERVED.contains(&name) || (name == "q" && !value.is_empty()));
    if about_contents {
        return None;
    }
    let Some(sort) = query.first("sort") else {
        return Some(None);
    };
    let (name, falling) = sort
        .strip_prefix('-')
        .map_or((sort, false), |name| (name, true));
    let place = LAGS.iter().position(|lag| *lag == name)?;
    Some(Some((place, falling)))
}

/// What is not known stands where the largest stands.
fn by_lag(one: &Rank, two: &Rank, place: usize) -> Ordering {
    match (one.lags[place], two.lags[place]) {
        (Some(one), Some(two)) => one.total_cmp(&two),
        (one, two) => two.is_some().cmp(&one.is_some()),
    }
}

/// The page of what `row` makes of `all`, as [`page`] and [`worst_first`] would have it. Of twenty thousand only those of the
/// page are made, where nothing is asked about what is in them.
pub(crate) fn page_of<T>(
    kind: &str,
    all: Vec<T>,
    (query, now): (&Query, SystemTime),
    rank: impl Fn(&T) -> Rank,
    row: impl Fn(&T) -> Value,
) -> Result<Value, Refusal> {
    let Some(order) = order(query) else {
        let mut rows: Vec<Value> = all.iter().map(row).collect();
        worst_first(&mut rows);
        return page(kind, rows, query, now);
    };
    let (begin, limit) = piece(query)?;
    let mut ranked: Vec<(Rank, T)> = all.into_iter().map(|one| (rank(&one), one)).collect();
    ranked.sort_by(|(one, _), (two, _)| one.bad.cmp(&two.bad).then_with(|| by_lag(two, one, 0)));
    if let Some((place, falling)) = order {
        ranked.sort_by(|(one, _), (two, _)| {
            let order = by_lag(one, two, place);
            if falling { order.reverse() } else { order }
        });
    }
    let total = ranked.len();
    let page = ranked.iter().skip(begin).take(limit);
    let items = page.map(|(_, one)| row(one)).collect();
    Ok(shown(kind, items, (begin, total), now))
}

fn holds(value: &Value, text: &str) -> bool {
    match value {
        Value::String(own) => own.to_lowercase().contains(text),
        Value::Object(members) => members.values().any(|member| holds(member, text)),
        Value::Array(items) => items.iter().any(|item| holds(item, text)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// A list as CSV: a column for each member of the first row, members of members joined by a point.
pub(crate) fn csv(list: &Value) -> String {
    let items = list["items"].as_array().map_or(&[][..], Vec::as_slice);
    let mut columns: Vec<String> = Vec::new();
    if let Some(first) = items.first() {
        names(first, "", &mut columns);
    }
    let mut text = line(columns.iter().map(String::as_str));
    for item in items {
        let cells = columns.iter().map(|column| {
            let value = column.split('.').fold(item, |value, part| &value[part]);
            cell(value)
        });
        let cells: Vec<String> = cells.collect();
        text.push_str(&line(cells.iter().map(String::as_str)));
    }
    text
}

fn names(value: &Value, prefix: &str, columns: &mut Vec<String>) {
    let Value::Object(members) = value else {
        columns.push(prefix.to_owned());
        return;
    };
    for (name, member) in members {
        let path = if prefix.is_empty() {
            name.clone()
        } else {
            format!("{prefix}.{name}")
        };
        names(member, &path, columns);
    }
}

/// RFC 4180.
fn line<'a>(cells: impl Iterator<Item = &'a str>) -> String {
    let mut text = String::new();
    for (number, cell) in cells.enumerate() {
        let comma = if number == 0 { "" } else { "," };
        // Writing to a text cannot fail.
        let _ = if cell.contains(['"', ',', '\n', '\r']) {
            write!(text, "{comma}\"{}\"", cell.replace('"', "\"\""))
        } else {
            write!(text, "{comma}{cell}")
        };
    }
    text.push_str("\r\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<Value> {
        let row = |name: &str, health: &str, seconds: Value| json!({"name": name, "health": health, "lag": {"seconds": seconds}});
        vec![
            row("a", "HEALTHY", json!(0.5)),
            row("b", "FAILED", json!(3.0)),
            row("c", "HEALTHY", json!(9.0)),
            row("d", "UNKNOWN", Value::Null),
        ]
    }

    fn names_of(list: &Value) -> Vec<&str> {
        let items = list["items"].as_array().expect("a list").iter();
        items
            .map(|row| row["name"].as_str().expect("a name"))
            .collect()
    }

    fn asked(query: &str) -> Value {
        let mut rows = rows();
        worst_first(&mut rows);
        page(
            "LinkList",
            rows,
            &Query::parse(query),
            SystemTime::UNIX_EPOCH,
        )
        .expect("a page")
    }

    #[test]
    fn the_worst_comes_first_unless_another_order_is_asked_for() {
        assert_eq!(names_of(&asked("")), ["b", "d", "c", "a"]);
        assert_eq!(names_of(&asked("sort=name")), ["a", "b", "c", "d"]);
        assert_eq!(names_of(&asked("sort=-lag_seconds")), ["d", "c", "b", "a"]);
    }

    #[test]
    fn a_page_of_what_has_no_rows_yet_is_the_page_of_the_rows() {
        let classes = ["active", "failing", "neutral", "creating"];
        // Each class with known and unknown lags, and equal ones.
        let all: Vec<(usize, Option<f64>, Option<i64>)> = (0..60)
            .map(|number| {
                let seconds = (number % 7 != 0).then(|| f64::from(number * 37 % 11));
                (
                    usize::try_from(number).expect("small"),
                    seconds,
                    Some(i64::from(number * 13 % 5)),
                )
            })
            .collect();
        let row = |one: &(usize, Option<f64>, Option<i64>)| {
            json!({
                "name": one.0, "state_class": classes[one.0 % 4],
                "lag": {"seconds": one.1, "records": one.2, "bytes": null},
            })
        };
        let rank = |one: &(usize, Option<f64>, Option<i64>)| Rank {
            bad: [3, 0, 1, 2][one.0 % 4],
            lags: [one.1, one.2.map(|records| records as f64), None],
        };
        for text in [
            "",
            "sort=lag_seconds",
            "sort=-lag_seconds",
            "sort=-lag_records&limit=7&cursor=9",
            "sort=lag_bytes",
            "limit=5&cursor=58",
            "cursor=90",
            "sort=name",
            "q=fail",
            "state_class=failing",
        ] {
            let (query, now) = (Query::parse(text), SystemTime::UNIX_EPOCH);
            let mut rows: Vec<Value> = all.iter().map(row).collect();
            worst_first(&mut rows);
            let expected = page("TopicList", rows, &query, now).expect("a page");
            let found = page_of("TopicList", all.clone(), (&query, now), rank, row);
            assert_eq!(found.expect("a page"), expected, "{text}");
        }
        let wrong = Query::parse("limit=x");
        let refused = page_of(
            "TopicList",
            all.clone(),
            (&wrong, SystemTime::UNIX_EPOCH),
            rank,
            row,
        );
        refused.expect_err("it is no number");
    }

    #[test]
    fn what_happened_is_filtered_by_the_link_that_it_happened_to() {
        let row = |object: Value| json!({"kind": "health", "object": object});
        let rows = vec![
            row(json!({"kind": "worker"})),
            row(json!({"kind": "link", "link": "a"})),
            row(json!({"kind": "link", "link": "b"})),
        ];
        let query = Query::parse("link=a&kind=health");
        let list = page("ActivityList", rows, &query, SystemTime::UNIX_EPOCH).expect("a page");
        assert_eq!(list["total"], 1);
        assert_eq!(list["items"][0]["object"]["link"], "a");
    }

    #[test]
    fn a_list_is_filtered_and_cut_into_pages() {
        assert_eq!(names_of(&asked("health=HEALTHY")), ["c", "a"]);
        assert_eq!(names_of(&asked("health=FAILED,UNKNOWN")), ["b", "d"]);
        let first = asked("limit=3");
        assert_eq!(
            (&first["total"], &first["next_cursor"]),
            (&json!(4), &json!("3"))
        );
        let rest = asked("limit=3&cursor=3");
        assert_eq!(
            (names_of(&rest), &rest["next_cursor"]),
            (vec!["a"], &Value::Null)
        );
        assert_eq!(names_of(&asked("q=unKNOWN")), ["d"]);
        for wrong in ["limit=x", "cursor=-1", "colour=red"] {
            page(
                "LinkList",
                rows(),
                &Query::parse(wrong),
                SystemTime::UNIX_EPOCH,
            )
            .expect_err(wrong);
        }
    }

    #[test]
    fn cells_of_csv_are_quoted_where_they_must_be() {
        let list = json!({"items": [{"a": "x,\"y\"", "b": {"c": null, "d": 1.5}}]});
        assert_eq!(csv(&list), "a,b.c,b.d\r\n\"x,\"\"y\"\"\",,1.5\r\n");
    }
}
