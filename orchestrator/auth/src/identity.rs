//! Who asks.

/// Group of everybody who has shown who they are.
pub(crate) const AUTHENTICATED: &str = "system:authenticated";
/// Group of everybody else.
pub(crate) const UNAUTHENTICATED: &str = "system:unauthenticated";

/// Who asks, as far as it was shown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Identity {
    /// User name.
    pub name: String,
    /// Unique id; may be empty.
    pub uid: String,
    /// Groups.
    pub groups: Vec<String>,
    /// Further facts, by name.
    pub extra: Vec<(String, Vec<String>)>,
}

impl Identity {
    /// Somebody who has shown nothing.
    #[must_use]
    pub fn anonymous() -> Self {
        Self { name: "system:anonymous".to_owned(), groups: vec![UNAUTHENTICATED.to_owned()], ..Self::default() }
    }

    /// A component of this process, by its upstream name.
    #[must_use]
    pub fn component(name: &str) -> Self {
        Self { name: name.to_owned(), groups: vec![AUTHENTICATED.to_owned()], ..Self::default() }
    }

    /// Whether it is in a group.
    #[must_use]
    pub fn is_in(&self, group: &str) -> bool {
        self.groups.iter().any(|own| own == group)
    }
}
