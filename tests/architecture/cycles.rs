//! Dependency cycles inside of a crate: no file may depend on itself through other files.
//!
//! A file depends on the files that define what its imports and paths name. A name that a module only re-exports (`pub use`)
//! is followed to the file that defines it; the re-export itself is no dependency. Calls of methods are not seen.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use crate::scan::{Scan, Target};

/// A module, from the root of its crate; each is one file.
type Module = Vec<String>;

/// Most re-exports that a name is followed through. More are a cycle of `use`, which the compiler refuses.
const MOST_STEPS: usize = 32;

/// Module → the modules that it depends on.
type Graph = BTreeMap<Module, BTreeSet<Module>>;

/// The dependencies between the files of one crate.
fn dependencies(files: &BTreeMap<Module, Scan>) -> Graph {
    files
        .iter()
        .map(|(module, scan)| {
            let mentioned = scan.mentions.iter().filter(|mention| {
                // A name that is exported and also used here is a dependency.
                let exported = mention.exported.as_ref();
                exported.is_none_or(|name| scan.names.contains(name))
            });
            let targets = mentioned
                .filter_map(|mention| {
                    definition(files, &mention.module, mention.target.clone(), MOST_STEPS)
                })
                .filter(|target| target != module)
                .collect();
            (module.clone(), targets)
        })
        .collect()
}

/// The file that defines the target of a path in `module`. `None` for other crates, and for a module: the paths that begin with
/// it are mentions of their own.
fn definition(
    files: &BTreeMap<Module, Scan>,
    module: &[String],
    target: Target,
    steps: usize,
) -> Option<Module> {
    let steps = steps.checked_sub(1)?;
    let path = match target {
        Target::Crate(path) => path,
        Target::External(path) => {
            let first = path.first()?;
            let child = [module, std::slice::from_ref(first)].concat();
            if files.contains_key(&child) {
                [module, path.as_slice()].concat()
            } else {
                let imported = imported(files, module, first)?;
                return definition(files, module, extended(imported, path.get(1..)?), steps);
            }
        }
    };
    let length = (0..=path.len())
        .rev()
        .find(|length| files.contains_key(path.get(..*length).unwrap_or_default()))?;
    let (file, rest) = path.split_at_checked(length)?;
    let name = rest.first()?;
    match imported(files, file, name) {
        Some(imported) => definition(files, file, extended(imported, rest.get(1..)?), steps),
        None => Some(file.to_vec()),
    }
}

/// The target of the `use` in `module` that brings this name into scope.
fn imported(files: &BTreeMap<Module, Scan>, module: &[String], name: &str) -> Option<Target> {
    let file = (0..=module.len())
        .rev()
        .find_map(|length| files.get(module.get(..length)?))?;
    let mut imports = file.imports.iter();
    let import = imports.find(|import| import.module == module && import.name == name)?;
    Some(import.target.clone())
}

fn extended(target: Target, rest: &[String]) -> Target {
    match target {
        Target::Crate(path) => Target::Crate([path.as_slice(), rest].concat()),
        Target::External(path) => Target::External([path.as_slice(), rest].concat()),
    }
}

/// Between what a cycle is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cycle {
    /// Modules inside of one module, each with all that it contains.
    BetweenModules,
    /// The file of a module and files inside of the module.
    WithOwnFile,
}

impl fmt::Display for Cycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BetweenModules => "between its modules",
            Self::WithOwnFile => "between its file and its modules",
        })
    }
}

/// A cycle inside of a module.
#[derive(Debug, PartialEq, Eq)]
pub struct Found {
    /// The module's path; empty for the root of the crate.
    module: String,
    cycle: Cycle,
    /// The files or modules, from the first one back to it.
    path: Vec<Module>,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path: Vec<String> = self.path.iter().map(|module| module.join("::")).collect();
        let (module, cycle) = (&self.module, self.cycle);
        write!(f, "{module} has a cycle {cycle}: {}", path.join(" → "))
    }
}

/// The first cycle of each kind in each module. Without any, no file depends on itself.
pub fn check(files: &BTreeMap<Module, Scan>) -> Vec<Found> {
    let dependencies = dependencies(files);
    let parents: BTreeSet<&[String]> = files
        .keys()
        .filter_map(|module| module.split_last().map(|(_, parent)| parent))
        .collect();
    let mut found = Vec::new();
    for parent in parents {
        let mut add = |cycle, path: Option<Vec<Module>>| {
            found.extend(path.map(|path| Found {
                module: parent.join("::"),
                cycle,
                path,
            }));
        };
        let children = between_children(&dependencies, parent);
        let between = children.keys().find_map(|child| cycle(&children, child));
        add(Cycle::BetweenModules, between);
        let inside: Graph = dependencies
            .iter()
            .filter(|(module, _)| module.starts_with(parent))
            .map(|(module, targets)| (module.clone(), targets.clone()))
            .collect();
        add(Cycle::WithOwnFile, cycle(&inside, parent));
    }
    found
}

/// The dependencies between the modules inside of `parent`, each with all that it contains.
fn between_children(files: &Graph, parent: &[String]) -> Graph {
    let child = |module: &Module| -> Option<Module> {
        module.starts_with(parent).then_some(())?;
        Some(module.get(..=parent.len())?.to_vec())
    };
    let mut between = Graph::new();
    for (module, targets) in files {
        let Some(from) = child(module) else { continue };
        let others = targets.iter().filter_map(child).filter(|to| *to != from);
        between.entry(from.clone()).or_default().extend(others);
    }
    between
}

/// The shortest way from `start` back to it.
fn cycle(graph: &Graph, start: &[String]) -> Option<Vec<Module>> {
    let mut before: BTreeMap<&[String], &[String]> = BTreeMap::new();
    let mut next = vec![start];
    while !next.is_empty() {
        let mut after = Vec::new();
        for module in next {
            for target in graph.get(module).into_iter().flatten() {
                if target == start {
                    let mut path = vec![start.to_vec()];
                    let mut at = module;
                    while at != start {
                        path.push(at.to_vec());
                        at = before.get(at)?;
                    }
                    path.push(start.to_vec());
                    path.reverse();
                    return Some(path);
                }
                if !before.contains_key(target.as_slice()) {
                    before.insert(target, module);
                    after.push(target.as_slice());
                }
            }
        }
        next = after;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::scan;

    fn crate_of(files: &[(&str, &str)]) -> BTreeMap<Module, Scan> {
        files
            .iter()
            .map(|(module, text)| {
                let module: Module = module
                    .split("::")
                    .filter(|part| !part.is_empty())
                    .map(str::to_owned)
                    .collect();
                let scan = scan(text, &module).unwrap_or_else(|problem| panic!("{problem}"));
                (module, scan)
            })
            .collect()
    }

    fn cycles_of(files: &[(&str, &str)]) -> Vec<String> {
        let found = check(&crate_of(files)).into_iter();
        found.map(|found| found.to_string()).collect()
    }

    #[test]
    fn a_cycle_is_found_in_every_form_of_its_imports() {
        let between = "a has a cycle between its modules: a::b → a::c → a::b";
        let with_own_file = "a has a cycle between its file and its modules: a → a::b → a";
        let cases: &[(&[(&str, &str)], &str)] = &[
            (
                &[
                    ("a", "mod b; mod c;"),
                    ("a::b", "use super::c::C;"),
                    ("a::c", "fn f() { super::b::g() }"),
                ],
                between,
            ),
            // Through re-exports of the parent.
            (
                &[
                    (
                        "a",
                        "mod b; mod c; pub use b::B; pub(crate) use self::c::C as D;",
                    ),
                    ("a::b", "use super::D; struct B;"),
                    ("a::c", "use crate::a::B; struct C;"),
                ],
                between,
            ),
            // The import names a module, and a path begins with it.
            (
                &[
                    ("a", "mod b; mod c;"),
                    ("a::b", "use super::c; fn f() { c::g() }"),
                    ("a::c", "use super::b as other; fn g() { other::f() }"),
                ],
                between,
            ),
            (
                &[
                    ("a", "mod b; pub use b::B; fn f(b: B) {}"),
                    ("a::b", "use super::f; struct B;"),
                ],
                with_own_file,
            ),
            (
                &[
                    ("a", "mod b; struct A; fn f() { b::g() }"),
                    ("a::b", "use super::*;"),
                ],
                with_own_file,
            ),
            (
                &[
                    ("a", "mod b; mod c; mod d;"),
                    ("a::b", "use super::d::D;"),
                    ("a::c", "use super::b::B;"),
                    ("a::d", "use super::c::C;"),
                ],
                "a has a cycle between its modules: a::b → a::d → a::c → a::b",
            ),
        ];
        for (files, cycle) in cases {
            assert_eq!(&cycles_of(files), &[*cycle], "{files:?}");
        }
    }

    #[test]
    fn a_module_that_only_re_exports_is_no_part_of_a_cycle() {
        let files = [
            ("", "pub mod a;"),
            (
                "a",
                "mod b; mod c; pub use b::B; pub(super) use self::c::{C, D as E};",
            ),
            ("a::b", "use super::{C, E}; struct B;"),
            (
                "a::c",
                "use std::fmt; struct C; struct D; #[cfg(test)] mod tests { use super::super::b::B; }",
            ),
        ];
        assert_eq!(cycles_of(&files), Vec::<String>::new());
    }

    #[test]
    fn modules_are_in_a_cycle_also_if_no_file_is() {
        let files = [
            ("m", "mod a; mod b;"),
            ("m::a", "mod x; mod y;"),
            ("m::b", "mod x; mod y;"),
            ("m::a::x", "use crate::m::b::x::X;"),
            ("m::a::y", "struct Y;"),
            ("m::b::x", "struct X;"),
            ("m::b::y", "use crate::m::a::y::Y;"),
        ];
        assert_eq!(
            cycles_of(&files),
            ["m has a cycle between its modules: m::a → m::b → m::a"]
        );
    }
}
