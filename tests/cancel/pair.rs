//! PAIR, sockets of any type, and a proxy, their futures dropped at every poll: nothing is lost,
//! nothing comes twice.

use crate::dropping::{cases, drop_after, within};
use crate::{filled, read_until_last};
use wirelark::{
    AnySocket, Context, DealerSocket, Endpoint, Message, PairSocket, Proxy, RepSocket, SocketType,
};

/// Small queues, so that senders wait.
async fn couple(transport: &str) -> (PairSocket, PairSocket, Endpoint) {
    let context = Context::new();
    let pair = || {
        PairSocket::builder()
            .context(&context)
            .recv_hwm(1)
            .send_hwm(1)
    };
    let (bound, connected) = (pair().build(), pair().build());
    let endpoint = bound.bind(transport).await.unwrap();
    connected.connect(&endpoint).unwrap();
    (bound, connected, endpoint)
}

fn fill(pair: &PairSocket) -> Vec<String> {
    filled(|text| pair.try_send(text).is_ok())
}

#[tokio::test]
async fn send_is_all_or_nothing() {
    for (transport, polls) in cases() {
        let (bound, connected, _) = couple(transport).await;
        let mut expected = fill(&connected);
        let reader = tokio::spawn(read_until_last(bound.into()));
        let any = AnySocket::from(&connected);
        let sent = drop_after(polls, async {
            if polls % 2 == 0 {
                connected.send("second").await.unwrap();
            } else {
                any.send("second").await.unwrap();
            }
        });
        expected.extend(sent.await.map(|()| "second".to_owned()));
        within(connected.send("last")).await.unwrap();
        expected.push("last".to_owned());
        assert_eq!(
            within(reader).await.unwrap(),
            expected,
            "{transport}, {polls}"
        );
    }
}

#[tokio::test]
async fn recv_loses_nothing() {
    for (transport, polls) in cases() {
        let (bound, connected, _) = couple(transport).await;
        let any = AnySocket::from(&bound);
        let sender = tokio::spawn(async move {
            for number in 0..5 {
                connected.send(number.to_string()).await.unwrap();
            }
            connected
        });
        let mut texts = Vec::new();
        while texts.len() < 5 {
            let received = if texts.len() % 2 == 0 {
                drop_after(polls, bound.recv()).await.map(Result::unwrap)
            } else {
                drop_after(polls, any.recv()).await.map(Result::unwrap)
            };
            match received {
                Some(message) => texts.push(message.text().into_owned()),
                None => texts.push(within(bound.recv()).await.unwrap().text().into_owned()),
            }
        }
        assert_eq!(texts, ["0", "1", "2", "3", "4"], "{transport}, {polls}");
        within(sender).await.unwrap();
    }
}

#[tokio::test]
async fn a_proxy_loses_nothing() {
    use SocketType::{Dealer, Pull, Push, Router, XPub, XSub};
    for chain in [
        [Push, Pull, Push, Pull],
        [Dealer, Router, Dealer, Dealer],
        [XPub, XSub, XPub, XSub],
    ] {
        for (transport, polls) in cases() {
            proxy_loses_nothing(chain, transport, polls).await;
        }
    }
}

#[tokio::test]
async fn a_rep_that_gives_everything_back_loses_nothing() {
    for (transport, polls) in cases() {
        let context = Context::new();
        let rep = RepSocket::builder().context(&context).build();
        let dealer = DealerSocket::builder().context(&context).build();
        dealer.connect(rep.bind(transport).await.unwrap()).unwrap();
        let mut proxy = Proxy::new(&rep, &rep);
        for number in 0..20 {
            let question = ["", &number.to_string()];
            within(dealer.send(question)).await.unwrap();
            assert!(drop_after(polls, proxy.run()).await.is_none());
            assert!(proxy.take_held().is_empty());
        }
        let running = tokio::spawn(async move { proxy.run().await });
        for number in 0..20 {
            let answer = within(dealer.recv()).await.unwrap();
            assert_eq!(answer, ["", &number.to_string()], "{transport}, {polls}");
        }
        running.abort();
    }
}

/// Who sends, the two of the proxy, and who receives: all with small queues.
async fn proxy_loses_nothing(chain: [SocketType; 4], transport: &str, polls: usize) {
    use SocketType::{Dealer, Push, XPub};
    let context = Context::new();
    let [sender, frontend, backend, receiver] = chain.map(|socket_type| {
        let builder = AnySocket::builder(socket_type).context(&context);
        let builder = match socket_type {
            Push | Dealer => builder.send_hwm(1),
            XPub => builder.send_hwm(1).no_drop(true),
            _ => builder,
        };
        let builder = match socket_type {
            Push | XPub => builder,
            _ => builder.recv_hwm(1),
        };
        builder.build().unwrap()
    });
    let front = frontend.bind(transport).await.unwrap();
    sender.connect(front).unwrap();
    let rear = transport.replace("here", "there");
    let rear = backend.bind(rear.as_str()).await.unwrap();
    receiver.connect(rear).unwrap();
    for (publisher, subscriber) in [(&sender, &frontend), (&backend, &receiver)] {
        if let AnySocket::XPub(publisher) = publisher {
            subscriber.subscribe("").unwrap();
            within(publisher.wait_for_subscribers("", 1)).await.unwrap();
        }
    }
    let sending = tokio::spawn(async move {
        for number in 0..20 {
            sender.send(number.to_string()).await.unwrap();
        }
        sender
    });
    let text = |message: Message| {
        let last = message.frames().last().unwrap();
        String::from_utf8(last.to_vec()).unwrap()
    };
    let mut proxy = Proxy::new(&frontend, &backend);
    let mut texts = Vec::new();
    for _ in 0..20 {
        assert!(drop_after(polls, proxy.run()).await.is_none());
        assert!(proxy.take_held().is_empty());
        texts.extend(receiver.try_recv().map(text));
    }
    let running = tokio::spawn(async move { proxy.run().await });
    while texts.len() < 20 {
        texts.push(text(within(receiver.recv()).await.unwrap()));
    }
    let expected: Vec<String> = (0..20).map(|number| number.to_string()).collect();
    assert_eq!(texts, expected, "{chain:?}, {transport}, {polls}");
    within(sending).await.unwrap();
    running.abort();
}
