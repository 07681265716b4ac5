//! Renewal: a client whose numbers the server holds other edits under, as after an old copy of its data was
//! restored, continues under a new id.

/// How far the renewal of a client's id is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Renewal {
    /// The client's id is in order.
    #[default]
    Unneeded,
    /// Edits that the server may have seen under the old id wait for their answers, and no other edit is
    /// sent: an edit sent under two names would be applied twice.
    Draining,
    /// The caller has been asked for a new id.
    Requested,
}

impl Renewal {
    /// Starts a renewal unless one is under way.
    pub(super) fn begin(&mut self) {
        if *self == Renewal::Unneeded {
            *self = Renewal::Draining;
        }
    }

    pub(super) fn is_under_way(self) -> bool {
        self != Renewal::Unneeded
    }

    pub(super) fn is_draining(self) -> bool {
        self == Renewal::Draining
    }
}
