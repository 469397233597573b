"""Guidelines to try Almanac with when there is no network: a feed of short texts, plainly marked as samples."""
