package dev.mobisdk.app.screens

import dev.mobisdk.app.R
import dev.mobisdk.app.core.NoticeKind

/** What is said once, each with a place for a runtime's own sentence. */
internal val TEXT_OF_NOTICE =
    mapOf(
        NoticeKind.BUNDLE_ADDED to R.string.notice_bundle_added,
        NoticeKind.BUNDLE_REFUSED to R.string.notice_bundle_refused,
        NoticeKind.BENCH_INTERRUPTED to R.string.notice_bench_interrupted,
        NoticeKind.DOWNLOAD_FAILED to R.string.notice_download_failed,
        NoticeKind.JOIN_FAILED to R.string.notice_join_failed,
        NoticeKind.LINK_REFUSED to R.string.notice_link_refused,
        NoticeKind.LIST_FAILED to R.string.notice_list_failed,
        NoticeKind.NO_APP to R.string.notice_no_app,
        NoticeKind.PLAN_REFUSED to R.string.notice_plan_refused,
        NoticeKind.SHARE_FAILED to R.string.notice_share_failed,
    )
