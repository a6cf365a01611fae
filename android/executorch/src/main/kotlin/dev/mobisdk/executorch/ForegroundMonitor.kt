package dev.mobisdk.executorch

import android.app.Activity
import android.app.Application
import android.os.Bundle
import java.util.concurrent.locks.ReentrantLock
import kotlin.concurrent.withLock

/** Whether one of the app's screens has the person's attention; a turned phone is not a departure. */
public class ForegroundMonitor internal constructor() : Application.ActivityLifecycleCallbacks {
    private val lock = ReentrantLock()
    private val cameBack = lock.newCondition()

    @Volatile
    private var resumed = 0

    /** Whether the app is in the foreground now. */
    public val isForeground: Boolean get() = resumed > 0

    /** Blocks until the app is in the foreground. */
    public fun await() {
        lock.withLock { while (resumed == 0) cameBack.await() }
    }

    internal fun enter() {
        lock.withLock {
            resumed++
            cameBack.signalAll()
        }
    }

    internal fun leave() {
        lock.withLock { resumed = maxOf(0, resumed - 1) }
    }

    private var isTurning = false

    override fun onActivityResumed(activity: Activity) {
        if (isTurning) isTurning = false else enter()
    }

    override fun onActivityPaused(activity: Activity) {
        if (activity.isChangingConfigurations) isTurning = true else leave()
    }

    override fun onActivityCreated(
        activity: Activity,
        savedInstanceState: Bundle?,
    ): Unit = Unit

    override fun onActivityStarted(activity: Activity): Unit = Unit

    override fun onActivityStopped(activity: Activity): Unit = Unit

    override fun onActivitySaveInstanceState(
        activity: Activity,
        outState: Bundle,
    ): Unit = Unit

    override fun onActivityDestroyed(activity: Activity): Unit = Unit

    /** Makes monitors. */
    public companion object {
        /** Watches an app; to be called in `Application.onCreate`, before there is any screen. */
        public fun watch(application: Application): ForegroundMonitor =
            ForegroundMonitor().also { application.registerActivityLifecycleCallbacks(it) }
    }
}
