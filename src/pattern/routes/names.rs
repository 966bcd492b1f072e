//! [`Names`]: whom a ROUTER can address, and by which name.

use std::collections::HashMap;

use crate::identity::Identity;
use crate::pattern::PeerId;
use crate::pattern::outlet::Outlet;
use crate::peer_handle::Peer;
use crate::pipe::Pipe;
use crate::pipe::sync::Arc;
use crate::security::authenticator::User;

/// See the [module](self).
#[derive(Debug, Default)]
pub(super) struct Names {
    /// Whom messages can be sent to.
    pub(super) outlets: HashMap<Identity, Holder>,
    /// What these are called.
    pub(super) names: HashMap<PeerId, Identity>,
    /// The last number that was made up.
    pub(super) made_up: u32,
    pub(super) closed: bool,
}

/// Who has a name.
#[derive(Debug)]
pub(super) struct Holder {
    pub(super) id: PeerId,
    pub(super) outlet: Arc<Outlet>,
    /// Who came with the name; none if this side chose it. Then nobody else can take it.
    pub(super) owner: Option<Peer>,
}

impl Names {
    /// What this peer is called, if the name is still its.
    pub(super) fn name_of(&self, id: PeerId) -> Option<&Identity> {
        let name = self.names.get(&id)?;
        (self.outlets.get(name)?.id == id).then_some(name)
    }

    /// A name that nobody has.
    pub(super) fn make_up(&mut self) -> Identity {
        loop {
            self.made_up = self.made_up.wrapping_add(1);
            let name = Identity::made_up(self.made_up);
            if !self.outlets.contains_key(&name) {
                return name;
            }
        }
    }

    /// Who has this name. One whose connection is ending will not use it any more.
    pub(super) fn holder(&self, name: &Identity) -> Option<&Holder> {
        let holder = self.outlets.get(name)?;
        (holder.owner.is_none() || !holder.outlet.is_closed()).then_some(holder)
    }

    /// From now on messages to `name` go to this peer. Returns whose they were.
    #[must_use = "somebody may stand in line there"]
    pub(super) fn give(
        &mut self,
        name: Identity,
        id: PeerId,
        pipe: &Arc<Pipe>,
        owner: Option<Peer>,
    ) -> Option<Holder> {
        let outlet = Outlet::new(Arc::clone(pipe));
        self.names.insert(id, name.clone());
        let holder = Holder { id, outlet, owner };
        let former = self.outlets.insert(name, holder);
        if let Some(former) = &former {
            self.names.remove(&former.id);
        }
        former
    }
}

impl Holder {
    /// Whether this is the same user, as far as anybody has been judged: a name is no credential.
    pub(super) fn yields_to(&self, peer: &Peer) -> bool {
        let owner = self.owner.as_ref();
        owner.is_some_and(|owner| owner.user().map(User::id) == peer.user().map(User::id))
    }

    /// Whoever stands in line at this one looks for another.
    pub(super) fn dismiss(this: Option<Self>) {
        if let Some(holder) = this {
            holder.outlet.close();
        }
    }
}
