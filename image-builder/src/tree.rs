//! A file tree in memory: what goes into an initrd, a root or out of a package. Everything in it belongs to root.

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;

use crate::files;

/// What stands at one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// A directory with its permission bits.
    Directory(u32),
    /// A regular file with its permission bits.
    File(u32, Arc<[u8]>),
    /// A symbolic link with its target as written.
    Symlink(String),
}

/// Nodes by relative path (`usr/bin/coracle`), parents before children, in byte order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    nodes: BTreeMap<String, Node>,
}

/// A path that a tree cannot hold or does not hold.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// The path is absolute, empty, or has an empty, `.` or `..` component.
    #[error("{0:?} is not a plain relative path")]
    Path(String),
    /// Nothing, or no regular file, stands at the path.
    #[error("there is no file {0:?}")]
    NoFile(String),
    /// A path was to be added twice, or below something that is no directory.
    #[error("{0:?} collides with what is in the tree already")]
    Collision(String),
}

/// Permission bits of directories nobody asked anything special for.
const DIRECTORY_MODE: u32 = 0o755;

impl Tree {
    /// All nodes, parents before children.
    pub fn nodes(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.nodes.iter().map(|(path, node)| (path.as_str(), node))
    }

    /// What stands at `path`, links not followed.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&Node> {
        self.nodes.get(path)
    }

    /// Adds a node, with parent directories where they are missing. A directory may be stated twice; the last mode
    /// counts.
    ///
    /// # Errors
    /// The path is not plain, taken, or below something that is no directory.
    pub fn add(&mut self, path: &str, node: Node) -> Result<(), Error> {
        if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return Err(Error::Path(path.to_owned()));
        }
        for (end, _) in path.match_indices('/') {
            let parent = self.nodes.entry(path[..end].to_owned()).or_insert(Node::Directory(DIRECTORY_MODE));
            if !matches!(parent, Node::Directory(_)) {
                return Err(Error::Collision(path.to_owned()));
            }
        }
        match (self.nodes.get(path), &node) {
            (None, _) | (Some(Node::Directory(_)), Node::Directory(_)) => {
                self.nodes.insert(path.to_owned(), node);
                Ok(())
            }
            _ => Err(Error::Collision(path.to_owned())),
        }
    }

    /// Adds a directory with mode 0755.
    ///
    /// # Errors
    /// As [`Tree::add`].
    pub fn directory(&mut self, path: &str) -> Result<(), Error> {
        self.add(path, Node::Directory(DIRECTORY_MODE))
    }

    /// Adds a file with the given mode.
    ///
    /// # Errors
    /// As [`Tree::add`].
    pub fn file(&mut self, path: &str, mode: u32, bytes: impl Into<Arc<[u8]>>) -> Result<(), Error> {
        self.add(path, Node::File(mode, bytes.into()))
    }

    /// Adds a symbolic link.
    ///
    /// # Errors
    /// As [`Tree::add`].
    pub fn symlink(&mut self, path: &str, target: &str) -> Result<(), Error> {
        self.add(path, Node::Symlink(target.to_owned()))
    }

    /// The bytes of the regular file at `path`, symbolic links followed within the tree.
    ///
    /// # Errors
    /// No regular file stands there.
    pub fn content(&self, path: &str) -> Result<&Arc<[u8]>, Error> {
        let mut at = path.to_owned();
        // Linux gives up after 40 links, too.
        for _ in 0..40 {
            match self.nodes.get(&at) {
                Some(Node::File(_, bytes)) => return Ok(bytes),
                Some(Node::Symlink(target)) => at = resolve_link(&at, target),
                _ => break,
            }
        }
        Err(Error::NoFile(path.to_owned()))
    }

    /// Paths of everything below directory `prefix` (without trailing slash).
    pub fn below<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a Node)> {
        self.nodes().filter(move |(path, _)| path.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('/')))
    }

    /// Takes over what `other` has and this tree lacks. Packages agree on directories and share changelogs at most.
    pub fn merge_first(&mut self, other: &Self) {
        for (path, node) in &other.nodes {
            self.nodes.entry(path.clone()).or_insert_with(|| node.clone());
        }
    }

    /// Writes the tree into an existing directory, with exact modes whatever the umask is.
    ///
    /// # Errors
    /// A file, link or directory cannot be written.
    pub fn write_to(&self, root: &Path) -> Result<(), files::Error> {
        for (path, node) in self.nodes() {
            let path = root.join(path);
            match node {
                Node::Directory(mode) => {
                    files::create_dirs(&path)?;
                    files::set_mode(&path, *mode)?;
                }
                Node::File(mode, bytes) => {
                    files::write(&path, bytes)?;
                    files::set_mode(&path, *mode)?;
                }
                Node::Symlink(target) => {
                    symlink(target, &path).map_err(|source| files::Error::new("link", &path, source))?;
                }
            }
        }
        Ok(())
    }
}

/// The path that a link at `path` with `target` leads to, relative to the tree's root.
fn resolve_link(path: &str, target: &str) -> String {
    let mut parts: Vec<&str> =
        if target.starts_with('/') { Vec::new() } else { path.split('/').rev().skip(1).collect::<Vec<_>>() };
    parts.reverse();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_appear_and_come_first() {
        let mut tree = Tree::default();
        tree.file("usr/bin/x", 0o755, *b"x").unwrap();
        tree.directory("usr").unwrap();
        let paths: Vec<&str> = tree.nodes().map(|(path, _)| path).collect();
        assert_eq!(paths, ["usr", "usr/bin", "usr/bin/x"]);
    }

    #[test]
    fn bad_and_colliding_paths_are_refused() {
        let mut tree = Tree::default();
        tree.file("a", 0o644, *b"").unwrap();
        for path in ["", "/a", "a//b", "../a", "b/./c"] {
            assert_eq!(tree.file(path, 0o644, *b""), Err(Error::Path(path.into())), "{path}");
        }
        for path in ["a", "a/b"] {
            assert_eq!(tree.file(path, 0o644, *b""), Err(Error::Collision(path.into())), "{path}");
        }
    }

    #[test]
    fn content_follows_links_inside_the_tree_only() {
        let mut tree = Tree::default();
        tree.file("usr/lib/x/libz.so.1.3", 0o644, *b"z").unwrap();
        tree.symlink("usr/lib/x/libz.so.1", "libz.so.1.3").unwrap();
        tree.symlink("lib64", "/usr/lib/x/libz.so.1").unwrap();
        tree.symlink("up", "../../usr/lib/x/../x/libz.so.1").unwrap();
        tree.symlink("loop", "loop").unwrap();
        for path in ["usr/lib/x/libz.so.1", "lib64", "up"] {
            assert_eq!(tree.content(path).unwrap().as_ref(), b"z", "{path}");
        }
        assert_eq!(tree.content("loop"), Err(Error::NoFile("loop".into())));
        assert_eq!(tree.content("usr"), Err(Error::NoFile("usr".into())));
    }
}
