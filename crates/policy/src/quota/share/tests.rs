use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::*;

const MS: u64 = 1_000_000;

fn share(total: u64) -> Arc<Share> {
    Share::new(total, Duration::from_millis(500))
}

fn account(weight: u32) -> Arc<Account> {
    Arc::new(Account::new(weight, u64::MAX))
}

fn leased(share: &Arc<Share>, account: &Arc<Account>, bytes: u64, now: u64) -> Option<Lease> {
    let mut lease = Lease::new(share, account);
    lease.grow(bytes, now).ok().map(|()| lease)
}

#[test]
fn alone_a_tenant_may_have_everything() {
    let share = share(100);
    let one = account(1);
    let lease = leased(&share, &one, 60, 0).unwrap();
    let rest = leased(&share, &one, 40, 0).unwrap();
    assert!(leased(&share, &one, 1, 0).is_none());
    drop((lease, rest));
    assert_eq!(share.used(), (0, 1), "it is expected to come again");
    assert!(leased(&share, &one, 100, 0).is_some());
    assert!(leased(&share, &one, 0, 5000 * MS).is_some());
    assert_eq!(share.used(), (0, 0));
}

#[test]
fn once_another_waits_its_part_is_kept_free() {
    let share = share(100);
    let (noisy, quiet) = (account(1), account(1));
    let mut held: Vec<Lease> = (0..10)
        .map(|_| leased(&share, &noisy, 10, 0).unwrap())
        .collect();
    let mut lease = Lease::new(&share, &quiet);
    let refused = lease.grow(30, 0).unwrap_err();
    assert_eq!(refused.limit, Limit::FairShare);
    assert_eq!(refused.retry_after, Some(Duration::from_millis(500)));
    // What comes back is the other's, as long as the noisy one is over its half.
    held.pop();
    assert!(leased(&share, &noisy, 10, MS).is_none());
    held.truncate(7);
    assert!(leased(&share, &noisy, 1, 2 * MS).is_none());
    lease.grow(30, 500 * MS).unwrap();
    assert_eq!(share.used().0, 100);
    held.truncate(4);
    let more = leased(&share, &noisy, 10, 501 * MS);
    assert!(more.is_some(), "within its half");
    // The quiet one has what it needed, and what is left is anybody's.
    assert!(leased(&share, &noisy, 20, 502 * MS).is_some());
}

#[test]
fn who_does_not_come_again_does_not_wait_for_ever() {
    let share = share(100);
    let (noisy, gone) = (account(1), account(1));
    let lease = leased(&share, &noisy, 80, 0).unwrap();
    assert!(leased(&share, &gone, 30, 0).is_none());
    assert!(leased(&share, &noisy, 10, 999 * MS).is_none());
    assert!(leased(&share, &noisy, 10, 1000 * MS).is_some());
    assert!(gone.is_idle());
    drop(lease);
    assert!(leased(&share, &noisy, 0, 9000 * MS).is_some());
    assert_eq!(share.used(), (0, 0));
    assert!(noisy.is_idle() && gone.is_idle());
}

#[test]
fn shares_follow_weights() {
    let share = share(120);
    let (heavy, light, third) = (account(3), account(1), account(2));
    let mut a = Lease::new(&share, &heavy);
    a.grow(59, 0).unwrap();
    let mut b = Lease::new(&share, &light);
    b.grow(19, 0).unwrap();
    assert!(
        leased(&share, &third, 120, 0).is_none(),
        "no room: it waits"
    );
    // 120 by 3 : 1 : 2.
    a.grow(1, MS).unwrap();
    b.grow(1, MS).unwrap();
    assert!(a.grow(1, MS).is_err());
    assert!(b.grow(1, MS).is_err());
    assert!(leased(&share, &third, 40, MS).is_some());
}

#[test]
fn a_share_smaller_than_a_request_stops_nobody() {
    let share = share(100);
    let accounts: Vec<_> = (0..50).map(|_| account(1)).collect();
    let held: Vec<_> = accounts
        .iter()
        .map(|a| leased(&share, a, 2, 0).unwrap())
        .collect();
    let late = account(1);
    assert!(leased(&share, &late, 20, 0).is_none());
    drop(held);
    assert!(leased(&share, &late, 20, 0).is_some());
    // More than there is will never fit, and waiting for it would hold back the others.
    let mut lease = Lease::new(&share, &late);
    assert_eq!(lease.grow(101, 0).unwrap_err().retry_after, None);
}

#[test]
fn a_tenant_has_its_own_limit_too() {
    let share = share(100);
    let small = Arc::new(Account::new(1, 10));
    let mut lease = Lease::new(&share, &small);
    lease.grow(10, 0).unwrap();
    let refused = Lease::new(&share, &small).grow(1, 0).unwrap_err();
    assert_eq!(refused.limit, Limit::InFlightBytes);
    assert!(refused.retry_after.is_some());
    assert_eq!(lease.grow(11, 0).unwrap_err().retry_after, None);
    // It arrives piece by piece and is too large as a whole, so waiting does not help.
    assert_eq!(lease.grow(1, 0).unwrap_err().retry_after, None);
    assert_eq!(share.used(), (10, 1));
}

/// Plays tenants that come each millisecond with as much as they are given, in requests of
/// `size`, each of which takes three; how many bytes each was served, and how often refused.
fn play(total: u64, tenants: &[(u32, u64, u64)], ticks: u64) -> Vec<(u64, u64)> {
    let share = share(total);
    let accounts: Vec<_> = tenants
        .iter()
        .map(|(weight, ..)| account(*weight))
        .collect();
    let mut served = vec![(0, 0); tenants.len()];
    let mut held: VecDeque<(u64, Lease)> = VecDeque::new();
    for tick in 0..ticks {
        while held.pop_front_if(|(end, _)| *end <= tick).is_some() {}
        for (at, (_, size, every)) in tenants.iter().enumerate() {
            if tick % every != 0 {
                continue;
            }
            // A greedy one sends until it is told to stop.
            let most = if *every == 1 { u64::MAX } else { 1 };
            for _ in 0..most {
                match leased(&share, &accounts[at], *size, tick * MS) {
                    Some(lease) => {
                        served[at].0 += size;
                        held.push_back((tick + 3, lease));
                    }
                    None => {
                        served[at].1 += 1;
                        break;
                    }
                }
            }
        }
    }
    served
}

#[test]
fn greedy_tenants_get_equal_parts_whoever_comes_first() {
    let served = play(1000, &[(1, 10, 1), (1, 10, 1), (1, 50, 1)], 3000);
    let all: u64 = served.iter().map(|(bytes, _)| bytes).sum();
    for (bytes, _) in &served {
        assert!(bytes * 100 / all >= 25, "{served:?}");
    }
    assert!(
        all >= 1000 * 1000 * 9 / 10,
        "what is there is used: {served:?}"
    );
}

#[test]
fn a_noisy_tenant_does_not_keep_a_quiet_one_out() {
    // The quiet one comes every 20 ms with a tenth of the total.
    let served = play(1000, &[(1, 10, 1), (1, 100, 20)], 10_000);
    let (bytes, refused) = served[1];
    assert_eq!(bytes + refused * 100, 500 * 100);
    assert!(
        refused * 2 <= 500 + 1,
        "refused at most every other time: {served:?}"
    );
}

/// Guarantees (BOUNDED): whatever threads do, no more than the total is out at any instant, and all
/// of it comes back.
#[test]
fn many_threads_never_have_more_than_the_total() {
    const TOTAL: u64 = 1000;
    let share = share(TOTAL);
    let out = AtomicU64::new(0);
    let most = AtomicU64::new(0);
    let served: Vec<AtomicU64> = (0..4).map(|_| AtomicU64::new(0)).collect();
    let accounts: Vec<_> = (0..4).map(|_| account(1)).collect();
    std::thread::scope(|scope| {
        for thread in 0..8u64 {
            let (share, out, most, served, accounts) = (&share, &out, &most, &served, &accounts);
            scope.spawn(move || {
                let mut seed = thread + 1;
                for step in 0..20_000u64 {
                    seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    let who = (seed >> 40) as usize % 4;
                    let mut lease = Lease::new(share, &accounts[who]);
                    for part in [seed >> 50 & 255, seed >> 33 & 63] {
                        if lease.grow(part, step * 1000).is_ok() {
                            // After the take and before the give: never more than is out.
                            let now_out = out.fetch_add(part, Ordering::SeqCst) + part;
                            most.fetch_max(now_out, Ordering::SeqCst);
                            served[who].fetch_add(part, Ordering::Relaxed);
                        }
                    }
                    out.fetch_sub(lease.bytes(), Ordering::SeqCst);
                }
            });
        }
    });
    assert!(most.load(Ordering::SeqCst) <= TOTAL);
    assert!(most.load(Ordering::SeqCst) > 0);
    assert!(
        served
            .iter()
            .all(|served| served.load(Ordering::Relaxed) > 0)
    );
    // Those refused last are still expected until somebody looks at the clock again.
    let mut lease = Lease::new(&share, &accounts[0]);
    lease.grow(TOTAL, u64::MAX / 2).unwrap();
    assert_eq!(share.used(), (TOTAL, 1));
    drop(lease);
    assert_eq!(share.used(), (0, 0));
    assert!(accounts.iter().all(|account| account.is_idle()));
}
