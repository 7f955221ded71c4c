//! Configurations that cannot be used, and the sentences that say why.

use config::raw::RawConfig;
use config::{resolve_link, resolve_worker};

use crate::{link, no_cluster, worker};

#[track_caller]
fn check(lines: &str, expected: &str) {
    let problems = resolve_link(&link(lines), &no_cluster()).expect_err(lines);
    let shown: Vec<_> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(shown, [expected], "{lines}");
}

#[track_caller]
fn check_worker(lines: &str, expected: &str) {
    let problems = resolve_worker(&worker(lines)).expect_err(lines);
    let shown: Vec<_> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(shown, [expected], "{lines}");
}

#[test]
fn what_is_missing_is_named_with_an_example() {
    check(
        "name",
        "name: the link has no name; choose one that is unique within the worker",
    );
    check(
        "src.kafka.bootstrap.servers",
        "src.kafka.bootstrap.servers: the source is not named; set it to the source's brokers, for \
         example broker1:9092,broker2:9092",
    );
    check(
        "dest.kafka.bootstrap.servers",
        "dest.kafka.bootstrap.servers: the destination is not named, and the worker has no \
         bootstrap.servers; set it to the destination's brokers, for example broker1:9092,broker2:9092",
    );
    check_worker(
        "bootstrap.servers=a:1",
        "offset.storage.file.filename: it is not said where positions are kept; set it to a file, or \
         offset.storage.topic to the name of a topic",
    );
}

#[test]
fn addresses_are_refused_with_an_example() {
    check(
        "src.kafka.bootstrap.servers=west",
        "src.kafka.bootstrap.servers=west (--set): \"west\" has no port; an example: west:9092",
    );
    check(
        "dest.kafka.bootstrap.servers=a:9092,,b:9092",
        "dest.kafka.bootstrap.servers=a:9092,,b:9092 (--set): there is an empty entry between the commas",
    );
    check(
        "dest.kafka.bootstrap.servers=a:99999",
        "dest.kafka.bootstrap.servers=a:99999 (--set): \"a:99999\" has no usable port; ports are \
         numbers from 1 to 65535",
    );
    check(
        "dest.kafka.bootstrap.servers=::1:9092",
        "dest.kafka.bootstrap.servers=::1:9092 (--set): \"::1:9092\" looks like an IPv6 address; put \
         it into brackets: [::1]:9092",
    );
    check_worker(
        "offset.storage.file.filename=p\nbootstrap.servers=a",
        "bootstrap.servers=a (--set): \"a\" has no port; an example: a:9092",
    );
}

#[test]
fn values_of_the_wrong_type_are_refused_with_what_would_be_right() {
    check(
        "tasks.max=0",
        "tasks.max=0 (--set): the number is out of range; it has to be from 1 to 2147483647",
    );
    check(
        "tasks.max=many",
        "tasks.max=many (--set): it is no whole number; an example: 1",
    );
    check(
        "tasks.max=",
        "tasks.max= (--set): it is no whole number; an example: 1",
    );
    check(
        "topic.poll.interval.ms=5s",
        "topic.poll.interval.ms=5s (--set): it is no whole number of milliseconds; the unit is part of \
         the key; an example: 120000",
    );
    check(
        "topic.poll.interval.ms=-1",
        "topic.poll.interval.ms=-1 (--set): the number is out of range; it has to be from 1 to 2147483647",
    );
    check(
        "src.consumer.fetch.max.bytes=50MB",
        "src.consumer.fetch.max.bytes=50MB (--set): it is no whole number of bytes; the unit is part of \
         the key; an example: 52428800",
    );
    check(
        "src.consumer.fetch.max.bytes=9999999999",
        "src.consumer.fetch.max.bytes=9999999999 (--set): the number is out of range; it has to be from \
         1 to 2147483647",
    );
    check(
        "dest.topic.replication.factor=-1",
        "dest.topic.replication.factor=-1 (--set): the number is out of range; it has to be from 0 to 32767",
    );
    check(
        "topic.auto.create=yes",
        "topic.auto.create=yes (--set): it is neither true nor false; write true or false",
    );
    check(
        "provenance.header.enable=1",
        "provenance.header.enable=1 (--set): it is neither true nor false; write true or false",
    );
}

#[test]
fn choices_that_do_not_exist_are_refused_with_those_that_do() {
    check(
        "topic.timestamp.type=createtime",
        "topic.timestamp.type=createtime (--set): there is no such choice; write CreateTime",
    );
    check(
        "tributary.on.gap=ignore",
        "tributary.on.gap=ignore (--set): there is no such choice; choose one of stop, continue",
    );
    check(
        "tributary.on.recreate=recreate",
        "tributary.on.recreate=recreate (--set): there is no such choice; choose one of stop, restart",
    );
    check(
        "src.consumer.isolation.level=committed",
        "src.consumer.isolation.level=committed (--set): there is no such choice; choose one of \
         read_committed, read_uncommitted",
    );
    check(
        "producer.override.max.in.flight.requests.per.connection=0",
        "producer.override.max.in.flight.requests.per.connection=0 (--set): the number is out of range; \
         it has to be from 1 to 2147483647",
    );
    check(
        "producer.override.acks=2",
        "producer.override.acks=2 (--set): there is no such choice; choose one of all, -1, 0, 1",
    );
    check(
        "name=a\tb",
        "name=a\tb (--set): a name cannot contain control characters",
    );
    check_worker(
        "offset.storage.file.filename=p\ntributary.buffer.memory=1000",
        "tributary.buffer.memory=1000 (--set): the number is out of range; it has to be from 1048576 to \
         9223372036854775807",
    );
    check_worker(
        "offset.storage.file.filename=p\noffset.flush.interval.ms=1m",
        "offset.flush.interval.ms=1m (--set): it is no whole number of milliseconds; the unit is part of \
         the key; an example: 60000",
    );
    check_worker(
        "offset.storage.topic=a/b",
        "offset.storage.topic=a/b (--set): \"a/b\" contains '/'; legal are letters, digits, '.', '_' and '-'",
    );
    check_worker(
        "offset.storage.topic=o\noffset.storage.partitions=0",
        "offset.storage.partitions=0 (--set): a topic cannot have none; write 1 or more, or -1 for the \
         broker's default",
    );
}

#[test]
fn patterns_and_names_are_refused_with_the_place_and_a_suggestion() {
    check(
        "topic.regex=*",
        "topic.regex=* (--set): the pattern *, character 1: nothing stands before this * that it could \
         repeat; did you mean .* ?",
    );
    check(
        "topic.regex=*.orders",
        "topic.regex=*.orders (--set): the pattern *.orders, character 1: nothing stands before this * \
         that it could repeat; did you mean .*\\.orders ?",
    );
    check(
        "topic.regex=(a|b",
        "topic.regex=(a|b (--set): the pattern (a|b, character 1: this group is not closed; write \\( \
         for the character",
    );
    check(
        "topic.regex=a)(b",
        "topic.regex=a)(b (--set): the pattern a)(b, character 2: this ) closes no group; write \\) for \
         the character",
    );
    check(
        "topic.regex=(?P<x>a)",
        "topic.regex=(?P<x>a) (--set): the pattern (?P<x>a), character 1: (?P is not known to Java; \
         write (?<name>…)",
    );
    check(
        "config.properties.exclude=a{1,3}",
        "config.properties.exclude=a{1,3} (--set): the pattern a{1, character 2: a list is split at \
         every comma, also at the one of a count like {1,3}; write the alternatives: (a|aa|aaa)",
    );
    check(
        "topic.whitelist=orders.*",
        "topic.whitelist=orders.* (--set): \"orders.*\" is no name of a topic; patterns belong into topic.regex",
    );
    check(
        "topic.whitelist=a,,b",
        "topic.whitelist=a,,b (--set): there is an empty item between the commas",
    );
    check(
        "topic.blacklist=a b",
        "topic.blacklist=a b (--set): \"a b\" contains ' '; legal are letters, digits, '.', '_' and '-'",
    );
    check(
        "topic.rename.format=${cluster}.${topic}",
        "topic.rename.format=${cluster}.${topic} (--set): \"${cluster}\" is not a placeholder; the only \
         one is ${topic}",
    );
    check(
        "topic.rename.format=west/${topic}",
        "topic.rename.format=west/${topic} (--set): '/' cannot stand in a topic name; legal are letters, \
         digits, '.', '_' and '-', and the placeholder ${topic}",
    );
}

#[test]
fn what_belongs_to_java_is_refused_with_the_native_way() {
    check(
        "connector.class=org.example.MyConnector",
        "connector.class=org.example.MyConnector (--set): Tributary runs no Java plugins; use \
         tributary.TributarySourceConnector, Replicator's class, or MirrorMaker 2's source connector",
    );
    check(
        "value.converter=org.apache.kafka.connect.json.JsonConverter",
        "value.converter=org.apache.kafka.connect.json.JsonConverter (--set): Tributary copies bytes and \
         runs no converters; use a ByteArrayConverter",
    );
    check(
        "header.converter=org.apache.kafka.connect.storage.SimpleHeaderConverter",
        "header.converter=org.apache.kafka.connect.storage.SimpleHeaderConverter (--set): Tributary \
         copies bytes and runs no converters; it would rewrite header values; use a ByteArrayConverter",
    );
}

#[test]
fn what_is_not_supported_yet_says_so_instead_of_doing_something_else() {
    check(
        "exactly.once.support=required",
        "exactly.once.support=required (--set): exactly-once delivery cannot be guaranteed: this worker does not have \
         exactly-once source support enabled; set exactly.once.source.support=enabled for the worker",
    );
    check(
        "tributary.start=2026-01-01T00:00:00",
        "tributary.start=2026-01-01T00:00:00 (--set): \"2026-01-01T00:00:00\" is no time with a zone; choose one of \
         earliest, latest, a time like 2026-01-31T12:00:00Z, topic=place or topic:partition=offset",
    );
    check(
        "tributary.start=a:0=5,a:0=6",
        "tributary.start=a:0=5,a:0=6 (--set): \"a:0=6\" names a partition a second time; choose one of earliest, \
         latest, a time like 2026-01-31T12:00:00Z, topic=place or topic:partition=offset",
    );
    check(
        "schema.registry.topic=_schemas",
        "schema.registry.topic=_schemas (--set): it cannot be used here; a byte copy of the schema topic \
         into a live registry would corrupt it; leave schema.registry.topic out and the topic unselected",
    );
    check(
        "dest.kafka.bootstrap.servers=${env:BROKERS}",
        "dest.kafka.bootstrap.servers (--set): variables like ${env:BROKERS} are not \
         replaced here",
    );
    check(
        "admin.override.bootstrap.servers=other:9092",
        "admin.override.bootstrap.servers=other:9092 (--set): topics would be created in another cluster \
         than the one that data is written to; name the destination by dest.kafka.bootstrap.servers alone",
    );
}

#[test]
fn unknown_keys_of_our_own_are_problems() {
    check(
        "tributary.on.gaps=stop",
        "tributary.on.gaps (--set): there is no such key; did you mean tributary.on.gap ?",
    );
    check(
        "tributary.qwertyuiop=1",
        "tributary.qwertyuiop (--set): there is no such key",
    );
    check_worker(
        "offset.storage.file.filename=p\ntributary.buffer.memry=1",
        "tributary.buffer.memry (--set): there is no such key; did you mean tributary.buffer.memory ?",
    );
}

#[test]
fn all_problems_are_reported_at_once_with_their_places() {
    let text = "\
# a link with several faults
topic.regex=(
tasks.max=0
tributary.onn.gap=stop
src.kafka.bootstrap.servers=west
";
    let (raw, _) = RawConfig::from_properties("link.properties", text).expect("properties");
    let problems = resolve_link(&raw, &no_cluster()).expect_err("several faults");
    let shown: Vec<_> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "tasks.max=0 (link.properties, line 3): the number is out of range; it has to be from 1 to 2147483647",
            "tributary.onn.gap (link.properties, line 4): there is no such key; did you mean tributary.on.gap ?",
            "name: the link has no name; choose one that is unique within the worker",
            "src.kafka.bootstrap.servers=west (link.properties, line 5): \"west\" has no port; an example: west:9092",
            "dest.kafka.bootstrap.servers: the destination is not named, and the worker has no \
             bootstrap.servers; set it to the destination's brokers, for example broker1:9092,broker2:9092",
            "topic.regex=( (link.properties, line 2): the pattern (, character 1: this group is not closed; write \\( for the character",
        ]
    );
}

#[test]
fn secrets_are_hidden_in_problems_too() {
    let raw =
        link("src.kafka.ssl.keystore.password=hunter2\nsrc.kafka.foo.secret=hunter2\ntasks.max=x");
    let problems = resolve_link(&raw, &no_cluster()).expect_err("a fault");
    let (_, notices) =
        resolve_link(&link("src.kafka.foo.secret=hunter2"), &no_cluster()).expect("usable");
    let all = format!("{problems:?} {notices:?} {raw:?}");
    assert!(!all.contains("hunter2"), "{all}");
}

#[test]
fn texts_that_are_no_configuration_are_refused_with_the_place() {
    #[track_caller]
    fn check(text: &str, expected: &str) {
        let problem = RawConfig::from_json("link.json", text)
            .expect_err(text)
            .to_string();
        assert!(problem.starts_with(expected), "{problem}");
    }
    check("", "link.json is not a JSON object of keys and values: EOF");
    check(
        "[1]",
        "link.json is not a JSON object of keys and values: invalid type",
    );
    check(
        r#"{"topics":["a"]}"#,
        "link.json, /topics: a value is a text, a number or a boolean; a list is one text with commas",
    );
    check(
        r#"{"name":"n","config":{"a":{}}}"#,
        "link.json, /config/a: a value is a text",
    );

    let problem =
        RawConfig::from_properties("w.properties", "a=1\nb=\\u00").expect_err("malformed");
    assert_eq!(
        problem.to_string(),
        "w.properties, line 2: \\u has to be followed by four hexadecimal digits; write \\\\u for the characters"
    );
    let problem = RawConfig::new()
        .set_from_flag("--set", "topic.regex")
        .expect_err("no value");
    assert_eq!(
        problem.to_string(),
        "--set topic.regex: a setting is written KEY=VALUE"
    );
}
