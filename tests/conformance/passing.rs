//! What passes a proxy: whatever it is, it comes out as it went in, and in order.

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use tokio::runtime::Builder;
use wirelark::{AnySocket, Context, Identity, Message, Proxy, PubSocket, SocketType, SubSocket};

use crate::kit::{soon, until};

/// Who sends, the two in the middle, and who receives.
type Chain = [SocketType; 4];

const CHAINS: [Chain; 7] = {
    use SocketType::{Dealer, Pair, Pub, Pull, Push, Router, Sub, XPub, XSub};
    [
        [Push, Pull, Push, Pull],
        [Pair, Pair, Pair, Pair],
        [Dealer, Dealer, Dealer, Dealer],
        [Dealer, Router, Dealer, Dealer],
        [XPub, XSub, XPub, XSub],
        [XPub, Sub, Pub, Sub],
        [Dealer, Dealer, Router, Dealer],
    ]
};

/// Sizes around those at which a frame is stored, sent and read in another way.
fn frame() -> impl Strategy<Value = Vec<u8>> {
    let size = prop_oneof![
        6 => 0usize..80,
        2 => prop_oneof![Just(254usize), Just(255), Just(256), Just(257)],
        2 => 1_000usize..6_000,
        1 => 60_000usize..70_000,
    ];
    (size, any::<u8>()).prop_map(|(size, first)| {
        let bytes = (0..size).map(|index| (index as u8).wrapping_mul(7).wrapping_add(first));
        bytes.collect()
    })
}

fn stream() -> impl Strategy<Value = Vec<Vec<Vec<u8>>>> {
    prop::collection::vec(prop::collection::vec(frame(), 1..5), 1..60)
}

/// What may vary around a stream.
#[derive(Clone, Debug)]
struct Setting {
    chain: Chain,
    inproc: bool,
    captured: bool,
    hwm: usize,
}

fn setting() -> impl Strategy<Value = Setting> {
    let chain = prop::sample::select(&CHAINS[..]);
    let parts = (chain, any::<bool>(), any::<bool>(), 1usize..20);
    parts.prop_map(|(chain, inproc, captured, hwm)| Setting {
        chain,
        inproc,
        captured,
        hwm,
    })
}

impl Setting {
    fn build(&self, context: &Context, socket_type: SocketType) -> AnySocket {
        use SocketType::{Dealer, Pair, Pub, Pull, Push, Router, Sub, XPub, XSub};
        let builder = AnySocket::builder(socket_type).context(context);
        let builder = match socket_type {
            Pull | Sub | XSub => builder.recv_hwm(self.hwm),
            Push => builder.send_hwm(self.hwm),
            XPub => builder.send_hwm(self.hwm).no_drop(true),
            Pair => builder.send_hwm(self.hwm).recv_hwm(self.hwm),
            Dealer => builder.identity(Identity::new("home").unwrap()),
            // These drop what has no room, but have room for all.
            Pub | Router => builder,
            _ => unreachable!("in no chain"),
        };
        builder.build().unwrap()
    }

    fn place(&self, name: &str) -> String {
        if self.inproc {
            format!("inproc://{name}")
        } else {
            "tcp://127.0.0.1:*".to_owned()
        }
    }

    async fn join(&self, bound: &AnySocket, other: &AnySocket, name: &str) {
        let endpoint = bound.bind(self.place(name)).await.unwrap();
        other.connect(endpoint).unwrap();
        until(|| bound.peers().len() == 1 && other.peers().len() == 1).await;
        for socket in [bound, other] {
            if let AnySocket::Sub(_) | AnySocket::XSub(_) = socket {
                socket.subscribe("").unwrap();
            }
        }
        for socket in [bound, other] {
            match socket {
                AnySocket::Pub(socket) => soon(socket.wait_for_subscribers("", 1)).await.unwrap(),
                AnySocket::XPub(socket) => soon(socket.wait_for_subscribers("", 1)).await.unwrap(),
                _ => {}
            }
        }
    }

    async fn pass(&self, messages: Vec<Message>) -> Result<(), TestCaseError> {
        let context = Context::new();
        let [sender, front, back, receiver] = self.chain.map(|t| self.build(&context, t));
        self.join(&front, &sender, "front").await;
        self.join(&back, &receiver, "back").await;
        let mut proxy = Proxy::new(&front, &back);
        let control = proxy.control();
        // It has room for all.
        let [capture, witness] = [PUSH, PULL].map(|t| {
            let builder = AnySocket::builder(t).context(&context);
            builder.build().unwrap()
        });
        if self.captured {
            self.join(&capture, &witness, "capture").await;
            proxy = proxy.capture(&capture);
        }
        let running = tokio::spawn(async move { proxy.run().await });

        if self.captured && self.chain[2] == SocketType::XPub {
            // What passes the other way.
            prop_assert_eq!(soon(witness.recv()).await.unwrap(), "\x01");
        }
        let addressed = self.chain[2] == SocketType::Router;
        let sending = tokio::spawn({
            let messages = messages.clone();
            async move {
                for mut message in messages {
                    if addressed {
                        message.push_front("home");
                    }
                    sender.send(message).await.unwrap();
                }
                sender
            }
        });
        for message in &messages {
            let mut came = soon(receiver.recv()).await.unwrap();
            if self.chain[1] == SocketType::Router {
                prop_assert_eq!(came.pop_front().unwrap(), "home");
            }
            prop_assert_eq!(&came, message);
            if self.captured {
                let mut copy = soon(witness.recv()).await.unwrap();
                if self.chain.contains(&SocketType::Router) {
                    prop_assert_eq!(copy.pop_front().unwrap(), "home");
                }
                prop_assert_eq!(&copy, message);
            }
        }
        let count = messages.len() as u64;
        // Counted a moment after it has gone.
        until(|| control.stats().backend_sent.messages == count).await;
        let stats = control.stats();
        prop_assert_eq!(stats.frontend_received, stats.backend_sent);
        prop_assert_eq!((stats.dropped, stats.uncaptured), (0, 0));
        prop_assert_eq!(front.stats().received.messages, count);
        prop_assert_eq!(back.stats().sent.messages, count);
        drop(soon(sending).await.unwrap());
        running.abort();
        Ok(())
    }
}

const PUSH: SocketType = SocketType::Push;
const PULL: SocketType = SocketType::Pull;

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn what_passes_is_what_came(setting in setting(), stream in stream()) {
        let runtime = Builder::new_multi_thread().enable_all().worker_threads(2).build().unwrap();
        let messages = stream.into_iter().map(Message::from).collect();
        runtime.block_on(setting.pass(messages))?;
    }
}

/// A turn of many copies is not cut short: there is no other one for them.
#[tokio::test]
async fn every_subscriber_of_a_capture_gets_everything() {
    let context = Context::new();
    let build = |socket_type| AnySocket::builder(socket_type).context(&context).build();
    let [sender, front, back, receiver] = [PUSH, PULL, PUSH, PULL].map(|t| build(t).unwrap());
    front.bind("inproc://front").await.unwrap();
    back.bind("inproc://back").await.unwrap();
    sender.connect("inproc://front").unwrap();
    receiver.connect("inproc://back").unwrap();
    let capture = PubSocket::builder().context(&context).build();
    capture.bind("inproc://capture").await.unwrap();
    let witness = || SubSocket::builder().context(&context).subscribe("").build();
    let witnesses: Vec<SubSocket> = (0..16).map(|_| witness()).collect();
    for witness in &witnesses {
        witness.connect("inproc://capture").unwrap();
    }
    soon(capture.wait_for_subscribers("", 16)).await.unwrap();
    // All of it is there when the proxy begins, so that it moves whole runs.
    for number in 0..500 {
        soon(sender.send(number.to_string())).await.unwrap();
    }

    let capture = AnySocket::from(capture);
    let mut proxy = Proxy::new(&front, &back).capture(&capture);
    let control = proxy.control();
    let running = tokio::spawn(async move { proxy.run().await });
    for number in 0..500 {
        let number = number.to_string();
        assert_eq!(soon(receiver.recv()).await.unwrap(), number.as_str());
        for witness in &witnesses {
            assert_eq!(soon(witness.recv()).await.unwrap(), number.as_str());
        }
    }
    assert_eq!(control.stats().uncaptured, 0);
    running.abort();
}
