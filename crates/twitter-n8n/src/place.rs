//! The order of the tweets of a batch: as they were submitted, until people move them.

use waggle_kernel::ids::GeneratedTweetId;

/// Where a tweet is moved to, among the tweets of its batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Directly before this tweet.
    Before(GeneratedTweetId),
    /// Directly after this tweet.
    After(GeneratedTweetId),
}

impl Place {
    /// The tweet next to which the place is.
    pub const fn neighbor(self) -> GeneratedTweetId {
        match self {
            Self::Before(neighbor) | Self::After(neighbor) => neighbor,
        }
    }

    /// The place of `tweet` in `order`; `None` if it is not there, or alone.
    pub fn of(tweet: GeneratedTweetId, order: &[GeneratedTweetId]) -> Option<Self> {
        let at = order.iter().position(|&id| id == tweet)?;
        let (before, after) = order.split_at(at);
        let next = after.get(1).copied().map(Self::Before);
        next.or_else(|| before.last().copied().map(Self::After))
    }

    /// Moves `tweet` in `order` to this place. Nothing moves unless `order` contains both tweets.
    pub fn apply(self, order: &mut Vec<GeneratedTweetId>, tweet: GeneratedTweetId) {
        let contains_both = order.contains(&tweet) && order.contains(&self.neighbor());
        if tweet == self.neighbor() || !contains_both {
            return;
        }
        order.retain(|&id| id != tweet);
        if let Some(at) = order.iter().position(|&id| id == self.neighbor()) {
            order.insert(if matches!(self, Self::Before(_)) { at } else { at + 1 }, tweet);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn moved(tweet: i64, place: fn(GeneratedTweetId) -> Place, neighbor: i64) -> Vec<i64> {
        let mut order: Vec<GeneratedTweetId> = (1..=4).map(GeneratedTweetId::new).collect();
        place(GeneratedTweetId::new(neighbor)).apply(&mut order, GeneratedTweetId::new(tweet));
        order.into_iter().map(GeneratedTweetId::number).collect()
    }

    #[test]
    fn a_tweet_is_moved_next_to_another_one() {
        assert_eq!(moved(4, Place::Before, 1), [4, 1, 2, 3]);
        assert_eq!(moved(1, Place::After, 4), [2, 3, 4, 1]);
        assert_eq!(moved(2, Place::After, 3), [1, 3, 2, 4]);
        assert_eq!(moved(3, Place::Before, 2), [1, 3, 2, 4]);
        // It is there already, next to itself, or one of the two is not in the order.
        assert_eq!(moved(2, Place::Before, 3), [1, 2, 3, 4]);
        assert_eq!(moved(2, Place::After, 2), [1, 2, 3, 4]);
        assert_eq!(moved(2, Place::After, 9), [1, 2, 3, 4]);
        assert_eq!(moved(9, Place::After, 2), [1, 2, 3, 4]);
    }

    proptest! {
        #[test]
        fn a_move_keeps_all_tweets_and_the_order_of_the_others(
            tweet in 0_i64..6, neighbor in 0_i64..6, is_before: bool,
        ) {
            let (tweet, neighbor) = (GeneratedTweetId::new(tweet), GeneratedTweetId::new(neighbor));
            let mut order: Vec<GeneratedTweetId> = (0..5).map(GeneratedTweetId::new).collect();
            let others = |order: &[GeneratedTweetId]| -> Vec<GeneratedTweetId> {
                order.iter().copied().filter(|&id| id != tweet).collect()
            };
            let (all, rest) = (order.len(), others(&order));

            let before = order.clone();
            let former = Place::of(tweet, &order);
            let place = if is_before { Place::Before } else { Place::After };
            place(neighbor).apply(&mut order, tweet);

            prop_assert_eq!(order.len(), all);
            prop_assert_eq!(others(&order), rest);
            // The former place leads back.
            if let Some(former) = former {
                former.apply(&mut order, tweet);
            }
            prop_assert_eq!(order, before);
        }
    }
}
