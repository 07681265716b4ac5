//! Slots for answers that are in memory until they are read: the pages of a history. Those of one caller, and of all
//! callers, take a bounded amount of memory, however slowly some of them read.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use shared::ids::UserId;
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

/// Maximum number of answers to one caller. Most have less than a mebibyte, and the largest, with one commit, a few.
const MAX_OF_CALLER: usize = 8;
/// Maximum number of answers to all callers.
const MAX_SLOTS: usize = 48;
/// Time that a connection may take to read an answer for which others wait.
const PATIENCE: Duration = Duration::from_secs(2);

/// The slots of a server.
#[derive(Debug, Default)]
pub struct AnswerSlots {
    held: Mutex<Held>,
    /// Wakes those that wait once a slot is free, or its answer is ready.
    changed: Notify,
}

#[derive(Debug, Default)]
struct Held {
    next: u64,
    /// Oldest first.
    slots: Vec<Holder>,
}

#[derive(Debug)]
struct Holder {
    number: u64,
    user: UserId,
    /// When the answer was ready to be read; `None` while it is being made.
    ready: Option<Instant>,
    connection: CancellationToken,
}

/// The right to have one answer in memory. It ends when this is dropped.
#[derive(Debug)]
pub struct AnswerSlot {
    number: u64,
    slots: Arc<AnswerSlots>,
}

impl AnswerSlots {
    /// Waits for a slot of a caller. If its answer is ready and not read for long while others wait, `connection`
    /// is cancelled.
    pub async fn acquire(self: &Arc<Self>, user: UserId, connection: CancellationToken) -> AnswerSlot {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            match self.try_acquire(user, &connection, Instant::now()) {
                Ok(number) => return AnswerSlot { number, slots: self.clone() },
                Err(retry_at) => tokio::select! {
                    () = changed => {}
                    () = sleep_until(retry_at) => {}
                },
            }
        }
    }

    /// Takes a slot if one is free, and returns its number; otherwise returns when to try again.
    fn try_acquire(
        &self,
        user: UserId,
        connection: &CancellationToken,
        now: Instant,
    ) -> Result<u64, Instant> {
        let mut held = self.held();
        let has_own = |holder: &Holder| holder.user == user;
        let is_full = held.slots.iter().filter(|holder| has_own(holder)).count() >= MAX_OF_CALLER;
        if is_full || held.slots.len() >= MAX_SLOTS {
            let blocking = if is_full { Some(user) } else { held.largest() };
            let of_it = held.slots.iter().filter(|holder| Some(holder.user) == blocking);
            let ready = of_it.filter_map(|holder| Some((holder.ready?, holder.number)));
            let Some((since, number)) = ready.min() else { return Err(now + PATIENCE) };
            if since + PATIENCE > now {
                return Err(since + PATIENCE);
            }
            if let Some(late) = held.remove(number) {
                late.connection.cancel();
            }
        }
        let number = held.next;
        held.next += 1;
        held.slots.push(Holder { number, user, ready: None, connection: connection.clone() });
        Ok(number)
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// Returns the caller with most slots.
    fn largest(&self) -> Option<UserId> {
        let mut counts: HashMap<UserId, usize> = HashMap::new();
        self.slots.iter().for_each(|holder| *counts.entry(holder.user).or_default() += 1);
        // The oldest of those with as many.
        let holders = self.slots.iter().rev().map(|holder| holder.user);
        holders.max_by_key(|user| counts[user])
    }

    fn remove(&mut self, number: u64) -> Option<Holder> {
        let index = self.slots.iter().position(|holder| holder.number == number)?;
        Some(self.slots.remove(index))
    }
}

impl AnswerSlot {
    /// Records that the answer can be read now.
    pub fn ready(&self) {
        let mut held = self.slots.held();
        let own = held.slots.iter_mut().find(|holder| holder.number == self.number);
        own.into_iter().for_each(|holder| holder.ready = Some(Instant::now()));
        drop(held);
        // Those that wait know now how long.
        self.slots.changed.notify_waiters();
    }
}

impl Drop for AnswerSlot {
    fn drop(&mut self) {
        self.slots.held().remove(self.number);
        self.slots.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use uuid::Uuid;

    use super::*;

    fn user(number: u128) -> UserId {
        UserId(Uuid::from_u128(number))
    }

    /// Takes a slot if one is free now.
    fn try_acquire(slots: &Arc<AnswerSlots>, of: u128, connection: &CancellationToken) -> Option<AnswerSlot> {
        slots.acquire(user(of), connection.clone()).now_or_never()
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_waits_for_their_own_slots_and_those_who_do_not_read_give_way() {
        let (slots, slow, quick) =
            (Arc::<AnswerSlots>::default(), CancellationToken::new(), CancellationToken::new());
        let held: Vec<AnswerSlot> =
            (0..MAX_OF_CALLER).map(|_| try_acquire(&slots, 1, &slow).unwrap()).collect();
        assert!(try_acquire(&slots, 1, &quick).is_none() && try_acquire(&slots, 2, &quick).is_some());
        // An answer that is still being looked for cannot be read yet.
        let started = Instant::now();
        let waiting = slots.acquire(user(1), quick.clone());
        let read = async {
            tokio::time::sleep(PATIENCE * 3).await;
            held[3].ready();
        };
        let (_slot, ()) = tokio::join!(waiting, read);
        assert!(slow.is_cancelled() && !quick.is_cancelled());
        assert_eq!(started.elapsed(), PATIENCE * 4);
        drop(held);
        assert!(try_acquire(&slots, 1, &quick).is_some(), "a slot that has ended is free");
    }

    #[tokio::test(start_paused = true)]
    async fn the_caller_with_most_slots_gives_way_to_others() {
        let slots = Arc::<AnswerSlots>::default();
        let small = CancellationToken::new();
        let first = try_acquire(&slots, 100, &small).unwrap();
        first.ready();
        let tokens: Vec<CancellationToken> = (1..MAX_SLOTS).map(|_| CancellationToken::new()).collect();
        let of = |index: usize| 1 + (index / MAX_OF_CALLER) as u128;
        let held: Vec<AnswerSlot> = tokens
            .iter()
            .enumerate()
            .map(|(index, token)| try_acquire(&slots, of(index), token).unwrap())
            .collect();
        held.iter().for_each(AnswerSlot::ready);
        let another = CancellationToken::new();
        let _slot = slots.acquire(user(200), another.clone()).await;
        let cut: Vec<usize> = (0..tokens.len()).filter(|index| tokens[*index].is_cancelled()).collect();
        assert_eq!((cut, small.is_cancelled()), (vec![0], false));
    }

    #[tokio::test(start_paused = true)]
    async fn the_answer_that_was_ready_first_gives_way() {
        let slots = Arc::<AnswerSlots>::default();
        let tokens: Vec<CancellationToken> = (0..MAX_OF_CALLER).map(|_| CancellationToken::new()).collect();
        let held: Vec<AnswerSlot> =
            tokens.iter().map(|token| try_acquire(&slots, 1, token).unwrap()).collect();
        held[5].ready();
        tokio::time::sleep(PATIENCE).await;
        // A search that took long.
        held[0].ready();
        let _slot = slots.acquire(user(1), CancellationToken::new()).await;
        let cut: Vec<usize> = (0..tokens.len()).filter(|index| tokens[*index].is_cancelled()).collect();
        assert_eq!(cut, [5]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slot_that_ends_goes_to_one_that_waits() {
        let (slots, token) = (Arc::<AnswerSlots>::default(), CancellationToken::new());
        let mut held: Vec<AnswerSlot> =
            (0..MAX_OF_CALLER).map(|_| try_acquire(&slots, 1, &token).unwrap()).collect();
        let started = Instant::now();
        let waiting = slots.acquire(user(1), token.clone());
        let (_slot, ()) = tokio::join!(waiting, async { drop(held.pop()) });
        assert_eq!(started.elapsed(), Duration::ZERO);
        assert!(!token.is_cancelled());
    }
}
