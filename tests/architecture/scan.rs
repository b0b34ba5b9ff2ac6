//! Which paths a source file mentions, found in its tokens. Comments, strings and test code are left out;
//! the arguments of macros are included.

use std::collections::BTreeSet;
use std::str::FromStr;

use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};

/// What one file mentions.
#[derive(Debug, Default)]
pub struct Scan {
    /// Every path of at least two segments, and every import.
    pub mentions: Vec<Mention>,
    /// The names that `use` brings into scope.
    pub imports: Vec<Import>,
    /// Every name that stands alone outside of `use`.
    pub names: BTreeSet<String>,
    /// Absolute paths of the modules whose files are compiled only for tests.
    pub test_modules: Vec<Vec<String>>,
    /// Number of lines of the file without its test items.
    pub lines: usize,
    /// The words of the file's inner attributes, `no_std` for one.
    pub attributes: Vec<String>,
}

/// A path and the line that mentions it.
#[derive(Debug)]
pub struct Mention {
    pub line: usize,
    pub target: Target,
    /// The module that contains it: that of the file, or an inline module.
    pub module: Vec<String>,
    /// The name under which a `pub use` exports it.
    pub exported: Option<String>,
}

/// A name that `use` brings into scope.
#[derive(Debug)]
pub struct Import {
    /// The module that imports it.
    pub module: Vec<String>,
    /// Its name there; `*` for a glob import.
    pub name: String,
    pub target: Target,
}

/// What a path refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// An item of this crate: its path from the root.
    Crate(Vec<String>),
    /// Another crate, or a name in scope: the path as written.
    External(Vec<String>),
}

/// Scans the text of the file that holds `module` (its path from the crate's root).
pub fn scan(text: &str, module: &[String]) -> Result<Scan, String> {
    let tokens = TokenStream::from_str(text).map_err(|error| error.to_string())?;
    let mut walker = Walker {
        module: module.to_vec(),
        is_export: false,
        scan: Scan::default(),
    };
    walker.scan.lines = text.lines().count();
    walker.walk(&tokens.into_iter().collect::<Vec<_>>());
    Ok(walker.scan)
}

struct Walker {
    module: Vec<String>,
    /// Whether the current `use` is a `pub use`.
    is_export: bool,
    scan: Scan,
}

impl Walker {
    fn walk(&mut self, tokens: &[TokenTree]) {
        let mut rest = tokens;
        while !rest.is_empty() {
            let taken = self.step(rest);
            rest = rest.get(taken..).unwrap_or_default();
        }
    }

    /// Handles the first item of `rest` and returns the number of its tokens.
    fn step(&mut self, rest: &[TokenTree]) -> usize {
        match rest {
            [hash, TokenTree::Group(attribute), ..] if is(hash, '#') && is_test(attribute) => {
                self.test_item(rest)
            }
            [hash, bang, TokenTree::Group(attribute), ..] if is(hash, '#') && is(bang, '!') => {
                self.inner_attribute(attribute);
                // A file with `#![cfg(test)]` is compiled only for tests.
                if is_test(attribute) {
                    self.skip_lines(rest);
                    rest.len()
                } else {
                    3
                }
            }
            [
                TokenTree::Ident(word),
                TokenTree::Ident(name),
                TokenTree::Group(body),
                ..,
            ] if word == "mod" => {
                self.module.push(name.to_string());
                self.walk(&body.stream().into_iter().collect::<Vec<_>>());
                self.module.pop();
                3
            }
            [TokenTree::Ident(visibility), ..] if visibility == "pub" => {
                let is_restricted = matches!(
                    rest.get(1),
                    Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis
                );
                let taken = 1 + usize::from(is_restricted);
                self.is_export =
                    matches!(rest.get(taken), Some(TokenTree::Ident(word)) if word == "use");
                taken
            }
            // Not `use<'a>`, the list of captured lifetimes, which has no path.
            [TokenTree::Ident(word), next, ..] if word == "use" && !is(next, '<') => {
                let end = rest
                    .iter()
                    .position(|token| is(token, ';'))
                    .unwrap_or(rest.len());
                self.use_tree(rest.get(1..end).unwrap_or_default(), &[]);
                self.is_export = false;
                end
            }
            [TokenTree::Group(group), ..] => {
                self.walk(&group.stream().into_iter().collect::<Vec<_>>());
                1
            }
            [TokenTree::Ident(first), ..] => {
                let (segments, taken) = path(rest);
                if segments.len() > 1 {
                    self.mention(segments, first, None);
                } else {
                    self.scan.names.insert(first.to_string());
                }
                taken
            }
            _ => 1,
        }
    }

    fn mention(&mut self, segments: Vec<String>, at: &Ident, exported: Option<String>) {
        let line = at.span().start().line;
        let target = self.resolve(segments);
        self.scan.mentions.push(Mention {
            line,
            target,
            module: self.module.clone(),
            exported,
        });
    }

    fn import(&mut self, segments: Vec<String>, name: String, at: &Ident) {
        self.scan.imports.push(Import {
            module: self.module.clone(),
            name: name.clone(),
            target: self.resolve(segments.clone()),
        });
        self.mention(segments, at, self.is_export.then_some(name));
    }

    fn resolve(&self, segments: Vec<String>) -> Target {
        let mut absolute = self.module.clone();
        let mut rest = segments.iter();
        match segments.first().map(String::as_str) {
            // The modules of one package are re-exported by the other.
            Some("crate" | "modelwatch" | "modelwatch_core") => {
                absolute.clear();
                rest.next();
            }
            Some("self") => {
                rest.next();
            }
            Some("super") => {
                while rest
                    .as_slice()
                    .first()
                    .is_some_and(|segment| segment == "super")
                {
                    absolute.pop();
                    rest.next();
                }
            }
            _ => return Target::External(segments),
        }
        absolute.extend(rest.cloned());
        Target::Crate(absolute)
    }

    fn inner_attribute(&mut self, attribute: &Group) {
        let words = attribute
            .stream()
            .into_iter()
            .filter_map(|token| match token {
                TokenTree::Ident(word) => Some(word.to_string()),
                _ => None,
            });
        self.scan.attributes.extend(words);
    }

    /// Skips the item after `#[cfg(test)]`, subtracts its lines, and records it if it is a module with its own file.
    fn test_item(&mut self, rest: &[TokenTree]) -> usize {
        let mut at = 0;
        while matches!(rest.get(at..), Some([hash, TokenTree::Group(_), ..]) if is(hash, '#')) {
            at += 2;
        }
        let item = rest.get(at..).unwrap_or_default();
        let word = |token: &TokenTree, text: &str| matches!(token, TokenTree::Ident(ident) if ident == text);
        // An item that ends with a semicolon may contain braces.
        let until_semicolon = item.iter().take(3).any(|token| {
            ["use", "const", "static", "type"]
                .iter()
                .any(|text| word(token, text))
        }) && !item.iter().take(5).any(|token| word(token, "fn"));
        let length = item
            .iter()
            .position(|token| is(token, ';') || (!until_semicolon && is_braced(token)))
            .map_or(item.len(), |last| last + 1);
        let item = item.get(..length).unwrap_or_default();
        if let Some(position) = item.iter().position(|token| word(token, "mod"))
            && let Some([TokenTree::Ident(name), semicolon]) = item.get(position + 1..)
            && is(semicolon, ';')
        {
            let mut module = self.module.clone();
            module.push(name.to_string());
            self.scan.test_modules.push(module);
        }
        self.skip_lines(rest.get(..at + length).unwrap_or_default());
        at + length
    }

    fn skip_lines(&mut self, tokens: &[TokenTree]) {
        if let (Some(first), Some(last)) = (tokens.first(), tokens.last()) {
            let skipped = last.span().end().line + 1 - first.span().start().line;
            self.scan.lines = self.scan.lines.saturating_sub(skipped);
        }
    }

    fn use_tree(&mut self, tokens: &[TokenTree], prefix: &[String]) {
        let mut full = prefix.to_vec();
        let mut first = None;
        let mut alias = None;
        for (place, token) in tokens.iter().enumerate() {
            match token {
                TokenTree::Ident(word) if word == "as" => {
                    alias = tokens.get(place + 1).map(ToString::to_string);
                    break;
                }
                TokenTree::Ident(word) => {
                    first = first.or(Some(word));
                    // `{self, …}` means the prefix itself.
                    if word != "self" || full.is_empty() {
                        full.push(word.to_string());
                    }
                }
                TokenTree::Punct(punct) if punct.as_char() == '*' => {
                    full.push("*".to_owned());
                    self.import(full, "*".to_owned(), &Ident::new("all", punct.span()));
                    return;
                }
                TokenTree::Group(group) => {
                    let inner: Vec<_> = group.stream().into_iter().collect();
                    for branch in inner.split(|token| is(token, ',')) {
                        if !branch.is_empty() {
                            self.use_tree(branch, &full);
                        }
                    }
                    return;
                }
                _ => {}
            }
        }
        if let Some(at) = first {
            let name = alias.or_else(|| full.last().cloned()).unwrap_or_default();
            self.import(full, name, at);
        }
    }
}

/// The path at the beginning of `tokens`, and the number of its tokens.
fn path(tokens: &[TokenTree]) -> (Vec<String>, usize) {
    let mut segments = Vec::new();
    let mut taken = 0;
    while let Some(TokenTree::Ident(segment)) = tokens.get(taken) {
        segments.push(segment.to_string());
        taken += 1;
        match tokens.get(taken..) {
            Some([one, two, TokenTree::Ident(_), ..]) if is(one, ':') && is(two, ':') => taken += 2,
            _ => break,
        }
    }
    (segments, taken)
}

fn is(token: &TokenTree, character: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == character)
}

fn is_braced(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace)
}

/// `cfg(test)` or `cfg(all(…, test, …))`. Not `any`: such code is also compiled outside of tests.
fn is_test(attribute: &Group) -> bool {
    let tokens: Vec<_> = attribute.stream().into_iter().collect();
    let [TokenTree::Ident(cfg), TokenTree::Group(condition)] = tokens.as_slice() else {
        return false;
    };
    cfg == "cfg" && requires_test(&condition.stream().into_iter().collect::<Vec<_>>())
}

fn requires_test(condition: &[TokenTree]) -> bool {
    match condition {
        [TokenTree::Ident(word)] => word == "test",
        [TokenTree::Ident(all), TokenTree::Group(conditions)] if all == "all" => conditions
            .stream()
            .into_iter()
            .collect::<Vec<_>>()
            .split(|token| is(token, ','))
            .any(requires_test),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mentions(module: &str, text: &str) -> Vec<String> {
        let module: Vec<_> = module.split("::").map(str::to_owned).collect();
        let scan = scan(text, &module).unwrap_or_else(|problem| panic!("{problem}"));
        scan.mentions
            .into_iter()
            .map(|mention| match mention.target {
                Target::Crate(path) => format!("crate {}", path.join("::")),
                Target::External(path) => path.join("::"),
            })
            .collect()
    }

    #[test]
    fn every_form_of_an_import_is_found() {
        let cases: &[(&str, &[&str])] = &[
            ("use crate::store;", &["crate store"]),
            ("use crate::store as other;", &["crate store"]),
            (
                "pub(crate) use crate::store::{Store, sqlite::{self, Pool as P}};",
                &[
                    "crate store::Store",
                    "crate store::sqlite",
                    "crate store::sqlite::Pool",
                ],
            ),
            (
                "use crate::{finding::Finding, store};",
                &["crate finding::Finding", "crate store"],
            ),
            (
                "use {crate::finding::*, std::fmt};",
                &["crate finding::*", "std::fmt"],
            ),
            ("use crate::*;", &["crate *"]),
            ("use super::super::store::Store;", &["crate store::Store"]),
            (
                "use self::outbox::Claim;",
                &["crate notify::email::outbox::Claim"],
            ),
            ("use modelwatch::store::Store;", &["crate store::Store"]),
            (
                "use modelwatch_core::entry::Entry;",
                &["crate entry::Entry"],
            ),
            ("use ::reqwest::Client;", &["reqwest::Client"]),
            ("use reqwest;", &["reqwest"]),
        ];
        for (text, expected) in cases {
            assert_eq!(&mentions("notify::email", text), expected, "{text}");
        }
    }

    #[test]
    fn paths_in_code_are_found_everywhere() {
        let cases: &[(&str, &[&str])] = &[
            ("fn f(x: &crate::store::Row) {}", &["crate store::Row"]),
            (
                "fn f() { super::send::<crate::web::Page>(x) }",
                &["crate notify::send", "crate web::Page"],
            ),
            ("fn f() { let x = ::reqwest::get(y); }", &["reqwest::get"]),
            ("fn f() { Vec::<sqlx::Row>::new() }", &["sqlx::Row"]),
            (
                "fn f() { <T as crate::store::Store>::open() }",
                &["crate store::Store"],
            ),
            ("fn f() { 0..crate::store::MAX }", &["crate store::MAX"]),
            (
                "fn f() { info!(\"{}\", jiff::Timestamp::now()); }",
                &["jiff::Timestamp::now"],
            ),
            (
                "macro_rules! m { () => { $crate::store::open() } }",
                &["crate store::open"],
            ),
            ("#[derive(sqlx::FromRow)] struct Row;", &["sqlx::FromRow"]),
            (
                "mod inner { fn f() { super::super::g() } }",
                &["crate notify::g"],
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(&mentions("notify::email", text), expected, "{text}");
        }
    }

    #[test]
    fn comments_strings_fields_and_visibility_are_not_mentions() {
        let text = r##"
            //! Not crate::store.
            /* nor /* crate::web */ crate::web */
            /// See [`crate::config`].
            pub(crate) fn f<'a>(x: &'a str) -> impl Sized + use<'a> {
                let c = 'c'; let s = "crate::store"; let r = r#"use crate::web;"#;
                x.store.len()
            }
        "##;
        assert_eq!(mentions("notify", text), Vec::<String>::new());
    }

    #[test]
    fn code_that_is_compiled_only_for_tests_is_left_out() {
        let text = "use crate::finding::A;\n\
                    #[cfg(test)]\nuse crate::web::{B, C};\n\
                    #[cfg(all(test, unix))]\n#[expect(dead_code)]\nmod helpers;\n\
                    #[cfg(test)]\nfn f() -> [u8; 2] { crate::web::g() }\n\
                    #[cfg(any(test, fuzzing))]\nuse crate::store::D;\n\
                    #[cfg(test)]\nmod tests {\n    use crate::cli::E;\n}\n\
                    use crate::entry::F;\n";
        assert_eq!(
            mentions("notify", text),
            ["crate finding::A", "crate store::D", "crate entry::F"]
        );
        let scan = scan(text, &["notify".to_owned()]).unwrap_or_else(|problem| panic!("{problem}"));
        assert_eq!(scan.test_modules, [["notify", "helpers"]]);
        assert_eq!(scan.lines, 4);
        assert_eq!(
            mentions("notify", "#![cfg(test)]\nuse crate::web::A;"),
            Vec::<String>::new()
        );
    }
}
