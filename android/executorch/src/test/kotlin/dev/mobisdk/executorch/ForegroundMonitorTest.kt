package dev.mobisdk.executorch

import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test
import java.util.concurrent.FutureTask
import java.util.concurrent.TimeUnit

class ForegroundMonitorTest {
    @Test
    fun `the app is in the foreground while one of its screens is`() {
        val monitor = ForegroundMonitor()
        assertFalse(monitor.isForeground)
        monitor.enter()
        monitor.enter()
        monitor.leave()
        assertTrue(monitor.isForeground)
        repeat(2) { monitor.leave() }
        assertFalse(monitor.isForeground)
        monitor.enter()
        assertTrue(monitor.isForeground)
    }

    @Test
    fun `whoever waits goes on when the app is back`() {
        val monitor = ForegroundMonitor()
        val waiter = FutureTask { monitor.await() }
        val thread = Thread(waiter).apply { start() }
        while (thread.state != Thread.State.WAITING) Thread.yield()
        assertFalse(waiter.isDone)
        monitor.enter()
        waiter.get(10, TimeUnit.SECONDS)
        assertTrue(waiter.isDone)
    }
}
