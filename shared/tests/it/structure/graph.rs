//! The file graph of a package, read from its source: which file names something of which other file.
//!
//! Every `use` and every path that starts with `crate`, `super` or `self` is resolved module by module. A
//! name that a module re-exports counts as a use of that module and of the file that defines the name. A
//! parent uses each child that it declares. Code under `#[cfg(test)]` is left out.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fs,
    path::{Path, PathBuf},
};

use syn::{Attribute, Item, UseTree, visit::Visit};

type Segments = Vec<String>;

/// One module: a file, or an inline `mod` within one.
#[derive(Default)]
struct Module {
    file: usize,
    children: BTreeMap<String, usize>,
    defined: BTreeSet<String>,
    /// Names brought in by `use`, with the path that each stands for.
    imported: BTreeMap<String, Segments>,
    globs: Vec<Segments>,
    /// Every path that the module's code names.
    paths: Vec<Segments>,
    parent: Option<usize>,
}

/// The files of a package and the uses between them.
pub(super) struct FileGraph {
    /// Paths below the package's `src`, with `/` between folders.
    pub(super) files: Vec<String>,
    /// For each file the files that it uses, with a path that shows the use.
    pub(super) uses: Vec<BTreeMap<usize, String>>,
    /// The paths that each file names, from the root of their crate.
    pub(super) paths: Vec<BTreeSet<String>>,
    modules: Vec<Module>,
}

impl FileGraph {
    /// Reads every file of a package from its `src` folder.
    pub(super) fn read(src: &Path) -> Self {
        let mut files = source_files(src);
        files.sort();
        let sources = files.iter().map(|file| {
            let name = file.strip_prefix(src).unwrap().to_str().unwrap().replace('\\', "/");
            (name, fs::read_to_string(file).unwrap())
        });
        Self::of(sources.collect())
    }

    /// Builds the graph of files given by name and text.
    pub(super) fn of(sources: Vec<(String, String)>) -> Self {
        let mut graph =
            Self { files: Vec::new(), uses: Vec::new(), paths: Vec::new(), modules: vec![Module::default()] };
        // Shorter paths first, so that a parent is there before its children.
        let mut sources = sources;
        sources.sort_by_key(|(name, _)| (name.matches('/').count(), name.clone()));
        for (name, text) in &sources {
            graph.add_file(name, text);
        }
        graph.uses = vec![BTreeMap::new(); graph.files.len()];
        graph.paths = vec![BTreeSet::new(); graph.files.len()];
        for module in 0..graph.modules.len() {
            graph.link(module);
        }
        graph
    }

    fn add_file(&mut self, name: &str, text: &str) {
        let parsed = syn::parse_file(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let file = self.files.len();
        self.files.push(name.to_owned());
        let stem = name.strip_suffix(".rs").unwrap();
        // A program's own `main.rs` is a crate beside the library: it uses `lib.rs` through the package's
        // name.
        let module = if stem == "lib" {
            0
        } else {
            let mut at = 0;
            for segment in stem.split('/') {
                at = self.child(at, segment, file);
            }
            at
        };
        self.modules[module].file = file;
        self.read_items(module, file, &parsed.items);
    }

    fn child(&mut self, parent: usize, name: &str, file: usize) -> usize {
        if let Some(found) = self.modules[parent].children.get(name) {
            return *found;
        }
        let module = self.modules.len();
        self.modules.push(Module { file, parent: Some(parent), ..Module::default() });
        self.modules[parent].children.insert(name.to_owned(), module);
        module
    }

    fn read_items(&mut self, module: usize, file: usize, items: &[Item]) {
        for item in items {
            if is_test_item(item) {
                continue;
            }
            match item {
                Item::Mod(inner) => {
                    let name = inner.ident.to_string();
                    if let Some((_, items)) = &inner.content {
                        let child = self.child(module, &name, file);
                        self.modules[child].file = file;
                        self.read_items(child, file, items);
                    } else {
                        self.modules[module].paths.push(vec!["self".to_owned(), name]);
                    }
                }
                Item::Use(import) => self.read_use(module, &import.tree, &mut Vec::new()),
                other => {
                    if let Some(name) = defined_name(other) {
                        self.modules[module].defined.insert(name);
                    }
                    let mut paths = Paths(Vec::new());
                    paths.visit_item(other);
                    self.modules[module].paths.extend(paths.0);
                }
            }
        }
    }

    fn read_use(&mut self, module: usize, tree: &UseTree, path: &mut Segments) {
        match tree {
            UseTree::Path(step) => {
                path.push(step.ident.to_string());
                self.read_use(module, &step.tree, path);
                path.pop();
            }
            UseTree::Name(name) if name.ident == "self" => {
                self.import(module, path.last().cloned().unwrap_or_default(), path.clone());
            }
            UseTree::Name(name) => {
                let name = name.ident.to_string();
                let whole = path.iter().cloned().chain([name.clone()]).collect();
                self.import(module, name, whole);
            }
            UseTree::Rename(renamed) => {
                let whole = path.iter().cloned().chain([renamed.ident.to_string()]).collect();
                self.import(module, renamed.rename.to_string(), whole);
            }
            UseTree::Glob(_) => {
                self.modules[module].paths.push(path.clone());
                self.modules[module].globs.push(path.clone());
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.read_use(module, tree, path);
                }
            }
        }
    }

    fn import(&mut self, module: usize, name: String, path: Segments) {
        self.modules[module].paths.push(path.clone());
        self.modules[module].imported.insert(name, path);
    }

    /// Records what the paths of a module lead to.
    fn link(&mut self, module: usize) {
        let file = self.modules[module].file;
        for path in self.modules[module].paths.clone() {
            let mut used = BTreeSet::new();
            self.resolve(module, &path, &mut used, 0);
            for target in used {
                if target != file {
                    self.uses[file].entry(target).or_insert_with(|| path.join("::"));
                }
            }
            let whole = self.spelled_out(module, &path).join("::");
            self.paths[file].insert(whole);
        }
    }

    /// Returns a path from the root of its crate if it starts with a name that is imported.
    fn spelled_out(&self, module: usize, path: &[String]) -> Segments {
        let import = path.first().and_then(|first| self.modules[module].imported.get(first));
        match import {
            Some(import) if import.len() > 1 => import.iter().chain(&path[1..]).cloned().collect(),
            _ => path.to_vec(),
        }
    }

    /// Follows a path from a module and collects the files whose names it passes through.
    fn resolve(&self, from: usize, path: &[String], used: &mut BTreeSet<usize>, depth: usize) {
        if depth > 16 {
            return;
        }
        let mut rest = path;
        let mut at = from;
        match rest.first().map(String::as_str) {
            Some("crate") => (at, rest) = (0, &rest[1..]),
            Some("self") => rest = &rest[1..],
            Some("super") => {
                while rest.first().is_some_and(|segment| segment == "super") {
                    at = self.modules[at].parent.unwrap_or(0);
                    rest = &rest[1..];
                }
            }
            // A name of the module itself, or another crate's.
            Some(name) => {
                let module = &self.modules[at];
                if !module.children.contains_key(name) && !module.imported.contains_key(name) {
                    return;
                }
            }
            None => return,
        }
        while let Some((name, further)) = rest.split_first() {
            let module = &self.modules[at];
            if let Some(child) = module.children.get(name) {
                (at, rest) = (*child, further);
                continue;
            }
            used.insert(module.file);
            if module.defined.contains(name) {
                return;
            }
            if let Some(import) = module.imported.get(name) {
                let whole: Segments = import.iter().chain(further).cloned().collect();
                return self.resolve(at, &whole, used, depth + 1);
            }
            for glob in module.globs.clone() {
                let whole: Segments = glob.iter().chain(rest).cloned().collect();
                self.resolve(at, &whole, used, depth + 1);
            }
            return;
        }
        used.insert(self.modules[at].file);
    }

    /// Returns the shortest circle of uses, if there is one: files in order, each using the next and the last
    /// the first.
    pub(super) fn shortest_circle(&self) -> Option<Vec<usize>> {
        let circles = (0..self.files.len()).filter_map(|start| self.way_back(start));
        circles.min_by_key(Vec::len)
    }

    fn way_back(&self, start: usize) -> Option<Vec<usize>> {
        let mut before: BTreeMap<usize, usize> = BTreeMap::new();
        let mut queue = VecDeque::from([start]);
        while let Some(file) = queue.pop_front() {
            for next in self.uses[file].keys() {
                if *next == start {
                    let mut way = vec![file];
                    while *way.last().unwrap() != start {
                        way.push(before[way.last().unwrap()]);
                    }
                    way.reverse();
                    return Some(way);
                }
                if !before.contains_key(next) {
                    before.insert(*next, file);
                    queue.push_back(*next);
                }
            }
        }
        None
    }

    /// Describes a circle, a use a line.
    pub(super) fn describe(&self, circle: &[usize]) -> String {
        let next = circle.iter().cycle().skip(1);
        let line = |(file, next): (&usize, &usize)| {
            format!("  {} uses {} ({})", self.files[*file], self.files[*next], self.uses[*file][next])
        };
        circle.iter().zip(next).map(line).collect::<Vec<_>>().join("\n")
    }
}

/// Collects the paths of an item that start at a module.
struct Paths(Vec<Segments>);

impl Paths {
    fn add(&mut self, segments: Segments) {
        if segments.len() > 1 {
            self.0.push(segments);
        }
    }
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_attribute(&mut self, _: &'ast Attribute) {}

    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.add(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        syn::visit::visit_path(self, path);
    }

    fn visit_item_use(&mut self, import: &'ast syn::ItemUse) {
        fn flatten(tree: &UseTree, path: &mut Segments, into: &mut Paths) {
            match tree {
                UseTree::Path(step) => {
                    path.push(step.ident.to_string());
                    flatten(&step.tree, path, into);
                    path.pop();
                }
                UseTree::Group(group) => group.items.iter().for_each(|tree| flatten(tree, path, into)),
                UseTree::Name(syn::UseName { ident }) | UseTree::Rename(syn::UseRename { ident, .. }) => {
                    into.add(path.iter().cloned().chain([ident.to_string()]).collect());
                }
                UseTree::Glob(_) => into.add(path.clone()),
            }
        }
        flatten(&import.tree, &mut Vec::new(), self);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.visit_path(&call.path);
        let tokens = call.tokens.to_string();
        let words = tokens.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':' || c == ' '));
        for run in
            words.flat_map(|run| run.replace(" :: ", "::").split(' ').map(str::to_owned).collect::<Vec<_>>())
        {
            self.add(run.split("::").filter(|segment| !segment.is_empty()).map(str::to_owned).collect());
        }
    }
}

/// Returns the Rust files below a folder.
fn source_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths = entries.map(|entry| entry.unwrap().path());
    let found = paths.flat_map(|path| if path.is_dir() { source_files(&path) } else { vec![path] });
    found.filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect()
}

/// Returns whether an item exists in tests only.
pub(super) fn is_test_item(item: &Item) -> bool {
    is_test(attributes(item))
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Path>().is_ok_and(|condition| condition.is_ident("test"))
    })
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

fn defined_name(item: &Item) -> Option<String> {
    let ident = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Macro(item) => return macro_defined_name(item),
        _ => return None,
    };
    Some(ident.to_string())
}

/// A macro that defines a type by its last word, as the newtypes of ids are.
fn macro_defined_name(item: &syn::ItemMacro) -> Option<String> {
    let tokens = item.mac.tokens.to_string();
    tokens.rsplit(|c: char| !c.is_alphanumeric() && c != '_').find(|word| !word.is_empty()).map(str::to_owned)
}
