use serde_json::json;

use super::*;

fn add(path: &str, value: Value) -> Op {
    let path = path.split('/').skip(1).fold(Pointer::root(), |at, token| at.field(&token.replace("~1", "/")));
    Op::Add { path, value }
}

fn edited(text: &str, patch: &[Op]) -> (String, Option<Rewritten>) {
    let mut manifest = Manifest::parse(text).unwrap();
    let mut wanted = manifest.values();
    apply(&mut wanted[0], patch).unwrap();
    let rewritten = manifest.edit(0, patch);
    assert_eq!(manifest.values(), wanted, "{}", manifest.text());
    (manifest.text().to_owned(), rewritten)
}

/// Before, path, value, after.
type Edit = (&'static str, &'static str, Value, &'static str);

#[test]
fn what_is_added_is_written_in_the_files_own_style() {
    let cases: Vec<Edit> = vec![
        // Below the last line of what is there, its comment included.
        ("a:\n  - x # one\n\n# end\n", "/a/-", json!("z"), "a:\n  - x # one\n  - z\n\n# end\n"),
        ("a:\n- x: 1\n  y: 2\nb: 1\n", "/a/-", json!({"name": "m"}), "a:\n- x: 1\n  y: 2\n- name: m\nb: 1\n"),
        ("a:\n  - x", "/a/-", json!("z"), "a:\n  - x\n  - z"),
        // Above what comes after it, and above that one's comments.
        ("a:\n  # first\n  - x\n", "/a/0", json!("z"), "a:\n  - z\n  # first\n  - x\n"),
        ("a:\n  -\n    x: 1\n", "/a/0", json!("z"), "a:\n  - z\n  -\n    x: 1\n"),
        // Keys.
        ("a:\n  b: 1\nc: 2\n", "/a/d", json!([1]), "a:\n  b: 1\n  d:\n    - 1\nc: 2\n"),
        ("a:\n- 1\n", "/b", json!([{"k": 1}]), "a:\n- 1\nb:\n- k: 1\n"),
        (
            "a:\n    b: |\n      text\n\nc: 1\n",
            "/a/d",
            json!("x"),
            "a:\n    b: |\n      text\n    d: x\n\nc: 1\n",
        ),
        // What is empty.
        ("a:\nb: 1\n", "/a", json!(["x"]), "a:\n  - x\nb: 1\n"),
        ("a: # none\nb: 1\n", "/a", json!(["x"]), "a: # none\n  - x\nb: 1\n"),
        ("a: [] # none\nb: 1\n", "/a", json!({"k": "v"}), "a: # none\n  k: v\nb: 1\n"),
        ("a: {}\n", "/a/k", json!("v"), "a: {\"k\": \"v\"}\n"),
        ("a: ~\n", "/a", json!("v"), "a: v\n"),
        // Brackets, and JSON.
        ("a: [x, y] # c\n", "/a/-", json!({"k": "v"}), "a: [x, y, {\"k\":\"v\"}] # c\n"),
        ("a: [x, y]\n", "/a/1", json!(1), "a: [x, 1, y]\n"),
        ("a: { b: 1 }\n", "/a/c", json!("no"), "a: { b: 1, \"c\": \"no\" }\n"),
        ("{\n  \"a\": [\n    1\n  ]\n}\n", "/a/-", json!(2), "{\n  \"a\": [\n    1,\n    2\n  ]\n}\n"),
        // Windows' lines, other alphabets, documents.
        ("a:\r\n  - x\r\nb: 1\r\n", "/a/-", json!("z"), "a:\r\n  - x\r\n  - z\r\nb: 1\r\n"),
        ("ä: ö # ü\na:\n  - é\n", "/a/-", json!("è"), "ä: ö # ü\na:\n  - é\n  - \"è\"\n"),
        (
            "# head\n---\na:\n  - x\n---\nb: 1\n",
            "/a/-",
            json!("z"),
            "# head\n---\na:\n  - x\n  - z\n---\nb: 1\n",
        ),
        ("---\na: 1\n...\n", "/b", json!(2), "---\na: 1\nb: 2\n...\n"),
        // A key that must be quoted, and values that must be.
        (
            "a: 1\n",
            "/x~1y",
            json!({"on": "off", "m": "1e3"}),
            "a: 1\nx/y:\n  m: \"1e3\"\n  \"on\": \"off\"\n",
        ),
    ];
    for (before, path, value, after) in cases {
        assert_eq!(edited(before, &[add(path, value)]), (after.to_owned(), None), "{before:?}");
    }
}

#[test]
fn a_place_that_counts_twice_is_written_anew_and_told() {
    for text in ["a: &x [1]\nb: *x\n", "base: &x { k: 1 }\na:\n  <<: *x\nc: 1\n"] {
        let path = if text.contains("<<") { "/a/d" } else { "/b/-" };
        let (text, rewritten) = edited(text, &[add(path, json!(2))]);
        assert!(rewritten.is_some_and(|why| why.contains("alias")), "{text}");
        assert!(!text.contains(['&', '*']), "{text}");
    }
}

#[test]
fn a_scalar_is_replaced_where_it_stands() {
    let path = Pointer::root().field("env").index(1).field("value");
    let (text, rewritten) = edited(
        "env:\n  - name: A\n    value: 'x'\n  - name: NO_PROXY\n    value: \"corp\" # theirs\n",
        &[Op::Replace { path, value: json!("corp,127.0.0.1") }],
    );
    assert_eq!(rewritten, None);
    assert_eq!(
        text,
        "env:\n  - name: A\n    value: 'x'\n  - name: NO_PROXY\n    value: corp,127.0.0.1 # theirs\n"
    );
}

#[test]
fn what_is_no_yaml_is_told_with_its_place() {
    for (text, place) in [("a: 'b\n", "line "), ("a: [1\nb: 2\n", "line "), ("a: *x\n", "line 1, column 4")] {
        let error = Manifest::parse(text).unwrap_err().to_string();
        assert!(error.starts_with(place), "{text:?}: {error}");
    }
    let twins = Manifest::parse("a: 1\nb:\n  - c: 1\n    d: 2\n    c: 3\n").unwrap_err().to_string();
    assert!(twins.starts_with("line 5, column 5: the key \"c\" is there twice"), "{twins}");
    assert!(Manifest::parse("[".repeat(100_000)).is_err());
    let bomb: String = (1..40).map(|n| format!("a{n}: &a{n} [*a{0}, *a{0}, *a{0}]\n", n - 1)).collect();
    assert!(Manifest::parse(format!("a0: &a0 x\n{bomb}")).is_err());
}

#[test]
fn finds_where_pods_are() {
    let shown = |value: Value| workloads(&value).iter().map(Pointer::to_string).collect::<Vec<_>>();
    assert_eq!(shown(json!({ "kind": "Pod" })), [""]);
    assert_eq!(shown(json!({ "kind": "StatefulSet" })), ["/spec/template"]);
    assert_eq!(shown(json!({ "kind": "CronJob" })), ["/spec/jobTemplate/spec/template"]);
    assert_eq!(shown(json!({ "kind": "Service" })), Vec::<String>::new());
    let list = json!({ "kind": "List", "items": [{ "kind": "Service" }, { "kind": "Job" }] });
    assert_eq!(shown(list), ["/items/1/spec/template"]);
}

/// Whatever somebody writes: no panic, and what is edited says what it should.
#[test]
fn mutated_manifests_never_say_something_else() {
    let seed = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: x # c\nspec:\n  containers:\n  - name: app\n    env: [{ name: A, value: \"1\" }]\n    args:\n    - |\n      a\n      b\n  volumes:\n    # data\n    - name: d\n      emptyDir: {}\n";
    let patch = [
        add("/spec/containers/0/env/-", json!({ "name": "B", "value": "no" })),
        add("/spec/volumes/-", json!({ "name": "v" })),
        add("/spec/initContainers", json!([{ "name": "s", "args": ["x: y"] }])),
        add("/spec/containers/0/args/-", json!("last")),
    ];
    let pieces = [
        "\n", "  ", "- ", ": ", "#", "'", "\"", "[", "]", "{", "}", "&a ", "*a", "|", ">", "~", "---\n", "é",
        "\r\n", "\t", ",", "<<: ",
    ];
    let mut state = 7_u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    };
    assert_eq!(edited(seed, &patch).1, None);
    let (mut read, mut in_place) = (0, 0);
    for _ in 0..4000 {
        let mut text: Vec<char> = seed.chars().collect();
        for _ in 0..=random(3) {
            let at = random(text.len());
            match random(3) {
                0 => drop(text.remove(at)),
                1 => drop(text.splice(at..at, pieces[random(pieces.len())].chars())),
                _ => text[at] = pieces[random(pieces.len())].chars().next().unwrap(),
            }
        }
        let text: String = text.into_iter().collect();
        let Ok(mut manifest) = Manifest::parse(text.as_str()) else { continue };
        let mut wanted = manifest.values();
        if wanted.is_empty() || apply(&mut wanted[0], &patch).is_err() {
            continue;
        }
        read += 1;
        in_place += usize::from(manifest.edit(0, &patch).is_none());
        assert_eq!(manifest.values(), wanted, "{text:?}\n{}", manifest.text());
    }
    assert!(read > 800 && in_place > read * 3 / 4, "{read} read, {in_place} in place");
}
