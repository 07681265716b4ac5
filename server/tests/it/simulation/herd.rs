//! Many clients that connect at once: some were away for long, some read slowly or not at all, and most leave
//! again.

use std::time::Duration;

use fastrand::Rng;
use futures_util::future::join_all;
use shared::replica::ListReplica;
use tokio::time::Instant;

use super::{
    LISTS,
    client::{Reading, SimulatedClient},
    disk::Disk,
    events::{Kind, count},
    server::SimulatedServer,
    wire::wire,
};

/// Maximum number of clients that are kept for later herds.
const MAX_AWAY: usize = 12;

/// The clients that are there besides the usual ones, and those that have left.
#[derive(Default)]
pub(super) struct Herd {
    members: Vec<Member>,
    away: Vec<SimulatedClient>,
    clients: u128,
}

struct Member {
    client: SimulatedClient,
    leaves_at: Option<Instant>,
}

impl Herd {
    fn next_client(&mut self) -> SimulatedClient {
        self.clients += 1;
        SimulatedClient::new(1_000_000 + self.clients)
    }

    /// Lets a client connect, receive what it is sent in a short time, and leave. It may come back with a
    /// herd.
    pub(super) async fn visit(&mut self, server: &mut SimulatedServer) {
        let mut client = self.next_client();
        server.connect(&mut client, wire(usize::MAX, usize::MAX));
        client.pump(Duration::from_millis(40)).await;
        client.cut();
        self.keep(client);
    }

    fn keep(&mut self, client: SimulatedClient) {
        if self.away.len() < MAX_AWAY {
            self.away.push(client);
        }
    }

    /// Connects many clients at once.
    pub(super) fn arrive(&mut self, rng: &mut Rng, server: &mut SimulatedServer, disk: &Disk) {
        count(Kind::Herd);
        for _ in 0..rng.usize(10..=30) {
            let is_back = !self.away.is_empty() && rng.bool();
            let mut client = if is_back { self.away.swap_remove(0) } else { self.next_client() };
            let is_old = |id| {
                let at = client.replica.list(id).and_then(ListReplica::at).map(|at| at.revision);
                at < disk.at(id).map(|at| at.revision) && at.is_some()
            };
            if LISTS.into_iter().any(is_old) {
                count(Kind::OldRevision);
            }
            client.reading = match rng.u8(..6) {
                0 => Reading::Slowly,
                1 => Reading::NotAtAll,
                _ => Reading::AtOnce,
            };
            let byte_limit = if rng.u8(..8) == 0 { rng.usize(..6_000) } else { usize::MAX };
            server.connect(&mut client, wire(usize::MAX, byte_limit));
            let stay = Duration::from_millis(rng.u64(..400));
            let leaves_at = (rng.u8(..8) > 0).then(|| Instant::now() + stay);
            self.members.push(Member { client, leaves_at });
        }
    }

    /// Lets the members receive for a duration, and cuts the connections of those that leave then.
    pub(super) async fn pump(&mut self, duration: Duration) {
        join_all(self.members.iter_mut().map(|member| member.client.pump(duration))).await;
        let now = Instant::now();
        let has_left = |member: &mut Member| member.leaves_at.is_some_and(|at| at <= now);
        let left: Vec<_> = self.members.extract_if(.., has_left).collect();
        for mut member in left {
            member.client.cut();
            self.keep(member.client);
        }
    }

    /// Cuts all connections.
    pub(super) fn cut(&mut self) {
        self.members.iter_mut().for_each(|member| member.client.cut());
    }

    /// Removes the members and returns those that stay to the end, which read normally from now on.
    pub(super) fn remain(&mut self) -> Vec<SimulatedClient> {
        let members = std::mem::take(&mut self.members);
        let remaining = members.into_iter().filter(|member| member.leaves_at.is_none());
        remaining
            .map(|Member { mut client, .. }| {
                client.reading = Reading::AtOnce;
                client
            })
            .collect()
    }
}
