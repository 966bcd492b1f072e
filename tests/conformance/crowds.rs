//! Many at once: sockets, threads, peers that come and go in the same moment.

use wirelark::{PairSocket, PubSocket, PullSocket, PushSocket, SubSocket};

use crate::kit::{descriptors, soon, until};
use crate::transport::{Transport, on_every_transport};

on_every_transport!(
    peers_that_close_while_they_connect,
    binds_and_connects_in_the_same_moment,
    many_that_connected_before_the_bind,
    who_never_found_anybody_closes_at_once,
);

/// An honest subscriber is served all the same, and nothing is left of the others.
async fn peers_that_close_while_they_connect(transport: Transport) {
    let publisher = PubSocket::new();
    let endpoint = publisher.bind(transport.anywhere()).await.unwrap();
    for _ in 0..3 {
        let hasty: Vec<_> = (0..50)
            .map(|number| {
                let endpoint = endpoint.clone();
                tokio::spawn(async move {
                    let subscriber = SubSocket::builder().subscribe("hasty").build();
                    subscriber.connect(&endpoint).unwrap();
                    // In every stage of the handshake.
                    for _ in 0..number {
                        tokio::task::yield_now().await;
                    }
                    subscriber.close().await
                })
            })
            .collect();
        for task in hasty {
            soon(task).await.unwrap();
        }
        let subscriber = SubSocket::builder().subscribe("honest").build();
        subscriber.connect(&endpoint).unwrap();
        soon(publisher.wait_for_subscribers("honest", 1))
            .await
            .unwrap();
        publisher.send("honest work").await.unwrap();
        assert_eq!(soon(subscriber.recv()).await.unwrap().text(), "honest work");
        soon(subscriber.close()).await;
        until(|| publisher.topic_count() == 0 && publisher.peers().is_empty()).await;
    }
}

async fn binds_and_connects_in_the_same_moment(transport: Transport) {
    // Some five for each couple, and other tests beside them.
    if !descriptors::are_enough(1_000) {
        return;
    }
    let pairs: Vec<_> = (0..50)
        .map(|_| {
            let place = transport.somewhere();
            let pull = tokio::spawn({
                let place = place.clone();
                async move {
                    let pull = PullSocket::new();
                    pull.bind(&place).await.unwrap();
                    pull.recv().await.unwrap()
                }
            });
            let push = tokio::spawn(async move {
                let push = PushSocket::new();
                push.connect(&place).unwrap();
                push.send("found").await.unwrap();
                push.close().await
            });
            (pull, push)
        })
        .collect();
    for (pull, push) in pairs {
        assert_eq!(soon(pull).await.unwrap().text(), "found");
        assert_eq!(soon(push).await.unwrap().unsent, 0);
    }
    // The other way round: the one that binds sends, and leaves at once.
    let pairs: Vec<_> = (0..50)
        .map(|_| {
            let place = transport.somewhere();
            let connects = tokio::spawn({
                let place = place.clone();
                async move {
                    let pair = PairSocket::new();
                    pair.connect(&place).unwrap();
                    pair.recv().await.unwrap()
                }
            });
            let binds = tokio::spawn(async move {
                let pair = PairSocket::new();
                pair.bind(&place).await.unwrap();
                pair.send("found").await.unwrap();
                pair.close().await
            });
            (connects, binds)
        })
        .collect();
    for (connects, binds) in pairs {
        assert_eq!(soon(connects).await.unwrap().text(), "found");
        assert_eq!(soon(binds).await.unwrap().unsent, 0);
    }
}

async fn many_that_connected_before_the_bind(transport: Transport) {
    let place = transport.somewhere();
    let pushes: Vec<PushSocket> = (0..10)
        .map(|_| {
            let push = PushSocket::new();
            push.connect(&place).unwrap();
            push
        })
        .collect();
    for (number, push) in pushes.iter().enumerate() {
        soon(push.send(number.to_string())).await.unwrap();
    }
    let pull = PullSocket::new();
    pull.bind(&place).await.unwrap();
    let mut got = Vec::new();
    for _ in &pushes {
        let number = soon(pull.recv()).await.unwrap().text().parse::<usize>();
        got.push(number.unwrap());
    }
    got.sort_unstable();
    assert!(got.into_iter().eq(0..pushes.len()));
}

/// However long it would linger: nothing waits to be sent.
async fn who_never_found_anybody_closes_at_once(transport: Transport) {
    for _ in 0..20 {
        let push = PushSocket::builder().linger(None).build();
        push.connect(transport.somewhere()).unwrap();
        let subscriber = SubSocket::builder().subscribe("a").linger(None).build();
        subscriber.connect(transport.somewhere()).unwrap();
        assert_eq!(soon(push.close()).await.unsent, 0);
        assert_eq!(soon(subscriber.close()).await.unsent, 0);
    }
}

/// More than a process may have descriptors, and than the thousand that libzmq allows by default: a
/// socket without endpoints is memory and nothing else.
#[tokio::test]
async fn thousands_of_sockets() {
    let sockets: Vec<PushSocket> = (0..70_000).map(|_| PushSocket::new()).collect();
    let place = Transport::Inproc.somewhere();
    let pull = PullSocket::builder().recv_hwm(None).build();
    pull.bind(&place).await.unwrap();
    let last = sockets.last().unwrap();
    last.connect(&place).unwrap();
    last.try_send("from the last").unwrap();
    assert_eq!(soon(pull.recv()).await.unwrap().text(), "from the last");
    for socket in sockets {
        soon(socket.close()).await;
    }
}

/// Each sends one message and drops its socket, most before there is anybody to read it. Half of them take
/// their endpoint away first.
#[tokio::test]
async fn threads_that_are_gone_before_the_bind() {
    const THREADS: usize = 30;
    let place = Transport::Inproc.somewhere();
    let runtime = tokio::runtime::Handle::current();
    let threads: Vec<_> = (0..THREADS)
        .map(|number| {
            let (place, runtime) = (place.clone(), runtime.clone());
            std::thread::spawn(move || {
                // What lingers needs somebody who waits for it.
                let _inside = runtime.enter();
                let push = PushSocket::new();
                push.connect(&place).unwrap();
                push.try_send(number.to_string()).unwrap();
                if number % 2 == 0 {
                    push.disconnect(&place).unwrap();
                }
            })
        })
        .collect();
    let pull = PullSocket::new();
    pull.bind(&place).await.unwrap();
    let mut got = Vec::new();
    for _ in 0..THREADS {
        let number = soon(pull.recv()).await.unwrap().text().parse::<usize>();
        got.push(number.unwrap());
    }
    got.sort_unstable();
    assert!(got.into_iter().eq(0..THREADS));
    for thread in threads {
        thread.join().unwrap();
    }
}
