package dev.mobisdk.executorch

import android.app.ActivityManager
import android.content.Context
import android.content.Intent
import android.content.IntentFilter
import android.os.BatteryManager
import android.os.Build
import android.os.PowerManager
import dev.mobisdk.runtime.App
import dev.mobisdk.runtime.Conditions
import dev.mobisdk.runtime.Device
import dev.mobisdk.runtime.DeviceFacts
import dev.mobisdk.runtime.ThermalScale
import dev.mobisdk.runtime.ThermalState
import java.util.UUID
import java.util.concurrent.Executor

private const val API_WITH_THERMAL_STATUS = 29
private const val API_WITH_SOC = 31

/**
 * What Android tells of the phone.
 *
 * @param context any of the app's.
 * @param foreground from `Application.onCreate`.
 */
public class AndroidDeviceFacts(
    context: Context,
    private val foreground: ForegroundMonitor,
) : DeviceFacts {
    private val context: Context = context.applicationContext
    private val power = context.getSystemService(Context.POWER_SERVICE) as PowerManager
    private val battery = context.getSystemService(Context.BATTERY_SERVICE) as BatteryManager

    /** Android's number; asking for it takes a call of the system, so a listener keeps it. */
    @Volatile
    private var thermalStatus = UNKNOWN

    init {
        if (Build.VERSION.SDK_INT >= API_WITH_THERMAL_STATUS) {
            thermalStatus = power.currentThermalStatus
            power.addThermalStatusListener(Executor { it.run() }) { status -> thermalStatus = status }
        }
    }

    override val app: App = readApp()

    override val device: Device = readDevice()

    override val processId: String get() = PROCESS_ID

    override fun readConditions(): Conditions {
        val reading = readBattery()
        return Conditions(
            batteryLevel = reading?.share,
            charging = reading?.isCharging,
            lowPowerMode = power.isPowerSaveMode,
            thermalBefore = thermalState(),
            thermalAfter = null,
            thermalRaw = ThermalScale.nameOfAndroid(thermalStatus),
            batteryCelsius = reading?.celsius,
            foreground = isForeground(),
        )
    }

    override fun thermalState(): ThermalState? = ThermalScale.fromAndroid(thermalStatus)

    override fun isForeground(): Boolean = foreground.isForeground

    override fun awaitForeground(): Unit = foreground.await()

    override fun readPeakMemoryBytes(): Long? = readPeakMemory()

    override fun readChargeUah(): Long? = chargeOf(battery.getLongProperty(BatteryManager.BATTERY_PROPERTY_CHARGE_COUNTER))

    private fun readBattery(): BatteryReading? {
        val sticky = context.registerReceiver(null, IntentFilter(Intent.ACTION_BATTERY_CHANGED)) ?: return null
        return BatteryReading(
            level = sticky.getIntExtra(BatteryManager.EXTRA_LEVEL, UNKNOWN),
            scale = sticky.getIntExtra(BatteryManager.EXTRA_SCALE, UNKNOWN),
            status = sticky.getIntExtra(BatteryManager.EXTRA_STATUS, UNKNOWN),
            temperature = sticky.getIntExtra(BatteryManager.EXTRA_TEMPERATURE, UNKNOWN),
        )
    }

    private fun readApp(): App {
        val info = context.packageManager.getPackageInfo(context.packageName, 0)
        @Suppress("DEPRECATION") // its successor is of API level 28
        return App(context.packageName, info.versionName ?: "unknown", info.versionCode.toString())
    }

    private fun readDevice(): Device {
        val memory = ActivityManager.MemoryInfo()
        (context.getSystemService(Context.ACTIVITY_SERVICE) as ActivityManager).getMemoryInfo(memory)
        return Device(
            platform = "android",
            manufacturer = Build.MANUFACTURER,
            model = Build.MODEL,
            soc = if (Build.VERSION.SDK_INT >= API_WITH_SOC) socOf(Build.SOC_MANUFACTURER, Build.SOC_MODEL) else null,
            osVersion = Build.VERSION.RELEASE,
            apiLevel = Build.VERSION.SDK_INT,
            cpuCores = Runtime.getRuntime().availableProcessors(),
            memoryBytes = memory.totalMem.takeIf { it > 0 },
            isEmulator = isEmulator(Build.HARDWARE, Build.FINGERPRINT),
        )
    }

    private companion object {
        /** Drawn when the process first asks. */
        val PROCESS_ID: String = UUID.randomUUID().toString()
    }
}
