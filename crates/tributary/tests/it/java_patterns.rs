//! Patterns of a configuration, compared with `java.util.regex` itself on patterns that nobody thought of.
//!
//! The tests of the crate `config` hold what was recorded once; here Java is asked anew.

use std::io::Write as _;
use std::process::{Command, Stdio};

use config::Pattern;

const SEED: u64 = 20_261_125;
const PATTERNS: usize = 4_000;

/// Reads names, an empty line, and patterns, all as hexadecimal UTF-8; answers a line for each pattern.
const PROGRAM: &str = r#"
import java.io.*;
import java.nio.charset.StandardCharsets;
import java.util.*;
import java.util.regex.*;

public class Ask {
    static String text(String hex) {
        byte[] bytes = new byte[hex.length() / 2];
        for (int i = 0; i < bytes.length; i++) bytes[i] = (byte) Integer.parseInt(hex.substring(2 * i, 2 * i + 2), 16);
        return new String(bytes, StandardCharsets.UTF_8);
    }
    public static void main(String[] arguments) throws IOException {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        List<String> names = new ArrayList<>();
        for (String line; !(line = in.readLine()).isEmpty(); ) names.add(text(line));
        StringBuilder out = new StringBuilder();
        for (String line; (line = in.readLine()) != null; ) {
            try {
                Pattern pattern = Pattern.compile(text(line));
                for (String name : names) out.append(pattern.matcher(name).matches() ? '1' : '0');
            } catch (PatternSyntaxException refused) {
                out.append("refused");
            } catch (RuntimeException itsOwnFault) {
                out.setLength(out.lastIndexOf("\n") + 1);
                out.append("crashed");
            }
            out.append('\n');
        }
        System.out.print(out);
    }
}
"#;

const NAMES: [&str; 22] = [
    "a",
    "b",
    "ab",
    "aab",
    "abab",
    "orders",
    "orders.v1",
    "ordersXv1",
    "A",
    "AB",
    "a-b",
    "a_b",
    "a.b",
    "1",
    "a1",
    "__a",
    "[a]",
    "a|b",
    "é",
    "a b",
    "K",
    "\u{212A}",
];

/// Pieces that patterns are made of; those of several characters keep constructs whole often enough.
const PIECES: [&str; 66] = [
    "a",
    "b",
    "A",
    "1",
    "_",
    "-",
    ".",
    "|",
    "(",
    ")",
    "(",
    ")",
    "[",
    "]",
    "[",
    "]",
    "^",
    "$",
    "*",
    "+",
    "?",
    "{",
    "}",
    ",",
    "\\",
    "&&",
    "[^",
    "a-z",
    "{2}",
    "{1,2}",
    "{0,}",
    "(?:",
    "(?i)",
    "(?i:",
    "(?s)",
    "(?=",
    "(?!",
    "(?<=",
    "(?<!",
    "(?>",
    "(?<n>",
    "\\k<n>",
    "\\1",
    "\\d",
    "\\w",
    "\\s",
    "\\W",
    "\\b",
    "\\B",
    "\\A",
    "\\z",
    "\\Q",
    "\\E",
    "\\.",
    "\\-",
    "\\x41",
    "\\u0061",
    "\\p{Alpha}",
    "\\p{L}",
    "\\P{Lu}",
    ".*",
    ".+",
    "é",
    "(?x)",
    " ",
    "orders",
];

/// Marsaglia's xorshift: nothing here needs a better one.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(bound).expect("small")).expect("below bound")
    }
}

fn hexadecimal(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn ask_java(patterns: &[String]) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("Ask.java");
    std::fs::write(&file, PROGRAM).expect("a file");
    let mut java = Command::new("java")
        .arg(&file)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a JDK");
    let mut lines: Vec<String> = NAMES.iter().map(|name| hexadecimal(name)).collect();
    lines.push(String::new());
    lines.extend(patterns.iter().map(|pattern| hexadecimal(pattern)));
    let mut input = java.stdin.take().expect("piped");
    input
        .write_all((lines.join("\n") + "\n").as_bytes())
        .expect("it reads");
    drop(input);
    let output = java.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("text");
    text.lines().map(str::to_owned).collect()
}

fn ask_us(pattern: &str) -> String {
    match Pattern::parse(pattern) {
        Err(_) => "refused".to_owned(),
        Ok(pattern) => NAMES
            .iter()
            .map(|name| match pattern.is_match(name) {
                Ok(true) => '1',
                Ok(false) => '0',
                Err(_) => '?',
            })
            .collect(),
    }
}

#[test]
fn what_is_accepted_selects_what_java_selects() {
    let mut random = Random(SEED);
    let patterns: Vec<String> = (0..PATTERNS)
        .map(|_| {
            let length = 1 + random.below(7);
            (0..length)
                .map(|_| PIECES[random.below(PIECES.len())])
                .collect()
        })
        .collect();
    let java = ask_java(&patterns);
    assert_eq!(java.len(), patterns.len());
    let (mut both, mut only_java) = (0, Vec::new());
    for (pattern, expected) in patterns.iter().zip(&java) {
        // Java's own engine falls over some intersections of classes; it says nothing about them then.
        if expected == "crashed" {
            continue;
        }
        let ours = ask_us(pattern);
        // A refusal of what Java knows is allowed: nothing is selected by mistake then.
        if ours == "refused" && expected != "refused" {
            only_java.push(pattern);
            continue;
        }
        assert_eq!(&ours, expected, "{pattern:?} on {NAMES:?}, seed {SEED}");
        both += usize::from(ours != "refused");
    }
    println!(
        "{both} of {PATTERNS} patterns accepted by both, {} only by Java, such as {:?}; seed {SEED}",
        only_java.len(),
        &only_java[..only_java.len().min(12)]
    );
    assert!(both > PATTERNS / 4, "patterns are worth asking: {both}");
    assert!(only_java.len() < PATTERNS / 20, "{only_java:?}");
}
