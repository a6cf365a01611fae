package dev.mobisdk.app.core

/** The next state: no clock, no file, no view. What does not fit the state it comes to changes nothing. */
fun reduce(
    state: UiState,
    event: UiEvent,
): UiState =
    when {
        event is UiEvent.StorageFailed -> UiState.Broken(event.reason)
        event is UiEvent.Started -> start(state, event)
        state is UiState.Ready -> reduceReady(state, event)
        else -> state
    }

private fun start(
    state: UiState,
    event: UiEvent.Started,
): UiState =
    if (state is UiState.Ready) {
        state
    } else {
        UiState.Ready(
            screen = event.saved.screen,
            lab = event.labAddress?.let { Lab.Joined(it) } ?: Lab.NotJoined,
            classify = event.saved.classified ?: Classify.Idle,
            classifyBundle = event.saved.classifyBundle,
            choice = event.saved.choice,
        )
    }

private fun reduceReady(
    state: UiState.Ready,
    event: UiEvent,
): UiState.Ready =
    when (event) {
        is UiEvent.Started, is UiEvent.StorageFailed -> {
            state
        }

        is UiEvent.ScreenChosen -> {
            state.copy(screen = event.screen)
        }

        is UiEvent.NoticeCame -> {
            state.copy(notice = event.notice)
        }

        UiEvent.NoticeRead -> {
            state.copy(notice = null)
        }

        is UiEvent.BundlesRead -> {
            state.copy(bundles = event.bundles, damaged = event.damaged)
        }

        is UiEvent.ClassifyBundleChosen -> {
            state.copy(classifyBundle = event.name, classify = Classify.Idle)
        }

        is UiEvent.Classified -> {
            state.copy(classify = event.outcome)
        }

        is UiEvent.PhoneRead -> {
            state.copy(phone = Phone(event.conditions), bench = pause(state.bench, event.conditions.foreground))
        }

        is UiEvent.LogRead, is UiEvent.RunLogged, is UiEvent.UploadChanged, is UiEvent.UploadCounted -> {
            state.copy(results = reduceResults(state.results, event), bench = countRun(state.bench, event))
        }

        is UiEvent.BundleToggled, is UiEvent.ModeChosen, is UiEvent.ThreadsChosen -> {
            if (state.bench is Bench.Running) state else state.copy(choice = reduceChoice(state.choice, event), bench = Bench.Idle)
        }

        is UiEvent.BenchStarted, is UiEvent.BenchMoved, UiEvent.BenchCancelling, UiEvent.BenchFinished, UiEvent.BenchCancelled,
        is UiEvent.BenchFailed,
        -> {
            state.copy(
                bench = reduceBench(state.bench, event),
                screen = if (event is UiEvent.BenchStarted) Screen.BENCHMARK else state.screen,
            )
        }

        is UiEvent.LinkOpened -> {
            state.copy(lab = Lab.Confirming(event.link, settled(state.lab)), screen = Screen.BUNDLES)
        }

        UiEvent.JoinRefused, UiEvent.JoinConfirmed, is UiEvent.JoinFailed, is UiEvent.Joined, UiEvent.Left, is UiEvent.OffersRead,
        is UiEvent.TransferMoved, is UiEvent.TransferEnded,
        -> {
            state.copy(
                lab = reduceLab(state.lab, event),
                notice = if (event is UiEvent.JoinFailed) Notice(NoticeKind.JOIN_FAILED, event.reason) else state.notice,
            )
        }
    }

/** What a link that is not joined after all goes back to. */
private fun settled(lab: Lab): Lab =
    when (lab) {
        is Lab.Confirming -> lab.previous
        is Lab.Joining -> lab.previous
        else -> lab
    }

private fun reduceLab(
    lab: Lab,
    event: UiEvent,
): Lab =
    when (event) {
        UiEvent.JoinRefused -> settled(lab)
        UiEvent.JoinConfirmed -> if (lab is Lab.Confirming) Lab.Joining(lab.link, lab.previous) else lab
        is UiEvent.JoinFailed -> if (lab is Lab.Joining) lab.previous else lab
        is UiEvent.Joined -> Lab.Joined(event.address)
        UiEvent.Left -> Lab.NotJoined
        is UiEvent.OffersRead -> if (lab is Lab.Joined) lab.copy(offers = event.offers) else lab
        is UiEvent.TransferMoved -> if (lab is Lab.Joined) lab.copy(transfers = lab.transfers + (event.bundleId to event.share)) else lab
        is UiEvent.TransferEnded -> if (lab is Lab.Joined) lab.copy(transfers = lab.transfers - event.bundleId) else lab
        else -> lab
    }

private fun reduceChoice(
    choice: BenchChoice,
    event: UiEvent,
): BenchChoice =
    when (event) {
        is UiEvent.BundleToggled -> {
            val isChosen = event.name in choice.bundles
            choice.copy(bundles = if (isChosen) choice.bundles - event.name else choice.bundles + event.name)
        }

        is UiEvent.ModeChosen -> {
            choice.copy(mode = event.mode)
        }

        is UiEvent.ThreadsChosen -> {
            choice.copy(threads = event.threads)
        }

        else -> {
            choice
        }
    }

private fun reduceBench(
    bench: Bench,
    event: UiEvent,
): Bench {
    if (event is UiEvent.BenchStarted) return if (bench is Bench.Running) bench else Bench.Running(event.plan)
    if (event is UiEvent.BenchFailed && bench !is Bench.Running) return Bench.Failed(event.reason, 0, event.needsRestart)
    if (bench !is Bench.Running) return bench
    return when (event) {
        is UiEvent.BenchMoved -> bench.copy(bundle = event.bundle, share = event.share, latestNs = event.latestNs ?: bench.latestNs)
        UiEvent.BenchCancelling -> bench.copy(isCancelling = true)
        UiEvent.BenchFinished -> Bench.Finished(bench.runs)
        UiEvent.BenchCancelled -> Bench.Cancelled(bench.runs)
        is UiEvent.BenchFailed -> Bench.Failed(event.reason, bench.runs, event.needsRestart)
        else -> bench
    }
}

private fun pause(
    bench: Bench,
    isForeground: Boolean?,
): Bench = if (bench is Bench.Running) bench.copy(isPaused = isForeground == false) else bench

private fun countRun(
    bench: Bench,
    event: UiEvent,
): Bench = if (bench is Bench.Running && event is UiEvent.RunLogged) bench.copy(runs = bench.runs + 1) else bench

private fun reduceResults(
    results: Results,
    event: UiEvent,
): Results =
    when (event) {
        is UiEvent.LogRead -> results.copy(rows = event.rows, setAside = event.setAside)
        is UiEvent.RunLogged -> results.copy(rows = listOf(event.row) + results.rows, upload = Upload.Idle)
        is UiEvent.UploadChanged -> results.copy(upload = event.upload)
        is UiEvent.UploadCounted -> results.copy(sent = event.sent, rejected = event.rejected)
        else -> results
    }
