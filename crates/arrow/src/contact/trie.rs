//! All paths of a layout as one tree, so that one pass over a contact finds the values of all
//! columns.
//!
//! Nodes are numbered, and refer to each other by number. Each node belongs to one position of all contacts:
//! `phone_numbers[*].E164` is one position, however many numbers a contact has.

use crate::contact::path::{Path, Step};

/// A position in a contact that a path goes through or ends at.
#[derive(Debug, Default)]
pub(crate) struct Node {
    /// The columns that want the value at this position.
    pub(crate) ends: Vec<usize>,
    /// The members of an object that paths name, and their nodes.
    ///
    /// No name is there twice. There are few, so they are searched one by one, and mostly not at all: see
    /// [`Names`](crate::contact::names::Names).
    keys: Vec<(Box<str>, usize)>,
    /// The elements of a list that paths name by index, and their nodes.
    pub(crate) indices: Vec<(usize, usize)>,
    /// The node for every element of a list.
    pub(crate) every: Option<usize>,
    /// The elements of a list that paths name by a condition.
    pub(crate) wheres: Vec<Where>,
    /// The columns of lists that get one element for each value at this position, because their
    /// values are this node's or lie below it.
    pub(crate) aligned: Vec<usize>,
    /// The columns whose paths go through this position.
    ///
    /// For a node of every element, these are the columns whose list exists as soon as the contact has the
    /// list.
    pub(crate) through: Vec<usize>,
}

impl Node {
    /// Whether a member of an object at this position is wanted.
    pub(crate) fn wants_members(&self) -> bool {
        !self.keys.is_empty()
    }

    /// Whether an element of a list at this position is wanted.
    pub(crate) fn wants_elements(&self) -> bool {
        self.every.is_some() || !self.indices.is_empty() || !self.wheres.is_empty()
    }

    /// What is wanted of the member with this name.
    pub(crate) fn member(&self, name: &[u8]) -> Option<Member> {
        let place = self.keys.iter().position(|(key, _)| key.as_bytes() == name)?;
        Some(Member { place, node: self.keys.get(place)?.1 })
    }

    /// The node that a step leads to.
    fn child(&self, step: &Step) -> Option<usize> {
        match step {
            Step::Key(name) => self.keys.iter().find(|(key, _)| key == name).map(|(_, node)| *node),
            Step::Index(at) => self.indices.iter().find(|(index, _)| index == at).map(|(_, node)| *node),
            Step::Every => self.every,
            Step::Where(name, text) => {
                let mut wheres = self.wheres.iter();
                wheres.find(|known| known.name == *name && known.text == *text).map(|known| known.node)
            }
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Member {
    /// Its number among the members of the same object that are wanted.
    pub(crate) place: usize,
    pub(crate) node: usize,
}

/// An element of a list that is chosen by the text of one of its members.
#[derive(Debug)]
pub(crate) struct Where {
    name: Box<str>,
    /// The text that this member must have.
    pub(crate) text: Box<str>,
    /// A node that wants only this member.
    ///
    /// Used to look at an element without noting any of its values.
    pub(crate) said: usize,
    /// The node of the element, if it is the one.
    pub(crate) node: usize,
}

/// The paths as a tree. Its root is the contact.
#[derive(Debug)]
pub(crate) struct Trie {
    /// Number 0 is the root.
    nodes: Vec<Node>,
    /// The number of paths.
    pub(crate) columns: usize,
}

impl Trie {
    /// The contact itself: the path `$` ends here.
    pub(crate) const ROOT: usize = 0;

    /// The columns get the numbers of the paths, in order.
    pub(crate) fn new<'a>(paths: impl Iterator<Item = &'a Path>) -> Self {
        let mut trie = Self { nodes: vec![Node::default()], columns: 0 };
        for path in paths {
            trie.insert(path);
            trie.columns += 1;
        }
        trie
    }

    /// Adds the path of the next column.
    fn insert(&mut self, path: &Path) {
        let column = self.columns;
        let last_every = path.steps.iter().rposition(|step| *step == Step::Every);
        let mut at = Self::ROOT;
        for (place, step) in path.steps.iter().enumerate() {
            let known = self.nodes.get(at).and_then(|node| node.child(step));
            at = known.unwrap_or_else(|| self.add(at, step));
            if let Some(node) = self.nodes.get_mut(at) {
                node.through.push(column);
                if last_every == Some(place) {
                    node.aligned.push(column);
                }
            }
        }
        if let Some(node) = self.nodes.get_mut(at) {
            node.ends.push(column);
        }
    }

    /// The node that a step from `at` leads to. It is added if it does not exist.
    ///
    /// A condition needs two nodes: one to look at the member that it names, and one for the element that it
    /// chooses.
    fn add(&mut self, at: usize, step: &Step) -> usize {
        let node = self.push(Node::default());
        let said = match step {
            Step::Where(name, _) => self.push(Node { keys: vec![(name.clone(), node)], ..Node::default() }),
            _ => node,
        };
        let Some(parent) = self.nodes.get_mut(at) else { return node };
        match step {
            Step::Key(name) => parent.keys.push((name.clone(), node)),
            Step::Index(place) => parent.indices.push((*place, node)),
            Step::Every => parent.every = Some(node),
            Step::Where(name, text) => {
                parent.wheres.push(Where { name: name.clone(), text: text.clone(), said, node });
            }
        }
        node
    }

    /// Returns the number of the new node.
    fn push(&mut self, node: Node) -> usize {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    /// The number of nodes.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// `None` only for a number of another tree.
    pub(crate) fn get(&self, node: usize) -> Option<&Node> {
        self.nodes.get(node)
    }
}
