//! Callers that find a socket which is closing, or gone, or that close themselves.

use super::*;
use crate::options::Options;
use crate::peer::{Admission, Admitted, Pulse, Standing, Unfinished};
use crate::pipe::Take;
use crate::pipe::wake::{Listener, Signal, Token};

/// A socket that takes whoever comes, and what they bring; or one that is closing and has not given up its name
/// yet.
#[derive(Debug)]
struct Socket {
    closing: bool,
}

struct Deaf;

impl Listener for Deaf {
    fn signal(&self, _: Token, _: Signal) {}
}

impl Hub for Socket {
    fn options(&self) -> Arc<Options> {
        Arc::default()
    }

    fn socket_type(&self) -> SocketType {
        SocketType::Pair
    }

    fn listens(&self) -> bool {
        true
    }

    fn pulse(&self) -> Arc<Pulse> {
        Arc::default()
    }

    fn partials(&self) -> Arc<crate::wire::partials::Partials> {
        Arc::default()
    }

    fn io_threads(&self) -> usize {
        0
    }

    fn next_peer_id(&self) -> PeerId {
        PeerId(0)
    }

    fn has_seat(&self, _: Option<PeerId>) -> bool {
        true
    }

    fn admit(&self, newcomer: Newcomer) -> Result<Admitted, DisconnectReason> {
        if self.closing {
            return Err(DisconnectReason::Closed);
        }
        if let Some(inbound) = newcomer.pipes.inbound {
            inbound.consume_for(Arc::new(Deaf), 0);
        }
        Ok(Admitted {
            admission: Admission::granted(),
            displaced: None,
        })
    }

    fn displace(&self, _: PeerId) {}

    fn expel(&self, _: PeerId, _: PeerFault) {}

    fn call_later(&self, _: Identity, _: &Arc<Caller>) {}

    fn unfinished(&self) -> Unfinished {
        Box::new(())
    }

    fn shed(&self, _: PeerId) -> bool {
        true
    }

    fn depart(&self, _: PeerId, _: Departure) {}

    fn tell(&self, _: Event) {}
}

fn closing() -> Arc<dyn Hub> {
    Arc::new(Socket { closing: true })
}

fn caller(client: &Arc<dyn Hub>, names: &Arc<Names>, standing: Option<Standing>) -> Arc<Caller> {
    let endpoint = "inproc://x".parse().unwrap();
    Caller::new(client, endpoint, "x", Arc::clone(names), standing)
}

fn bound(server: &Arc<dyn Hub>) -> Bound {
    Bound::new(server, "inproc://x".parse().unwrap())
}

#[test]
fn who_is_refused_by_a_closing_socket_waits_for_the_next_one() {
    let names = Arc::new(Names::default());
    let (server, client) = (closing(), closing());
    names.bind("x", bound(&server)).unwrap();
    caller(&client, &names, None).call();
    let successor = closing();
    let waiting = names.bind("x", bound(&successor)).unwrap();
    assert_eq!(waiting.len(), 1);
    // What the first one does late does not concern the second.
    bound(&server).give_up(&names);
    assert!(names.bind("x", bound(&server)).is_err());
}

#[test]
fn who_finds_a_socket_that_is_gone_waits_for_the_next_one() {
    let names = Arc::new(Names::default());
    let client = closing();
    names.bind("x", bound(&closing())).unwrap();
    caller(&client, &names, None).call();
    assert_eq!(names.bind("x", bound(&client)).unwrap().len(), 1);
}

/// A caller may have found the first one, and find only now that it is over.
#[test]
fn who_gives_up_a_name_late_does_not_take_it_from_the_same_socket() {
    let names = Names::default();
    let server = closing();
    let (first, second) = (bound(&server), bound(&server));
    names.bind("x", first.clone()).unwrap();
    first.give_up(&names);
    names.bind("x", second.clone()).unwrap();
    first.give_up(&names);
    assert!(names.bind("x", bound(&server)).is_err());
    second.give_up(&names);
    names.bind("x", bound(&server)).unwrap();
}

/// It has begun to close when it is joined, and has not come to its queue yet.
#[test]
fn what_a_closing_caller_has_queued_is_with_the_server() {
    let names = Arc::new(Names::default());
    let server: Arc<dyn Hub> = Arc::new(Socket { closing: false });
    let client = closing();
    let outbound = inproc_pipe(Options::default().send);
    put_probe(&outbound);
    let standing = Standing {
        id: PeerId(0),
        outbound: Arc::clone(&outbound),
    };
    let caller = caller(&client, &names, Some(standing));
    names.bind("x", bound(&server)).unwrap();
    Arc::clone(&caller).call();
    // Now it comes there, and nobody has to wait for another server.
    assert!(caller.retire().is_none());
    assert!(outbound.is_consumed());
    assert!(matches!(outbound.take(), Take::Batch(batch) if batch.messages() == 1));
    assert!(matches!(outbound.take(), Take::Closed(CloseReason::Done)));
}
