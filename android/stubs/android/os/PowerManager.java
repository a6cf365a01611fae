package android.os;

import java.util.concurrent.Executor;

/** Follows https://developer.android.com/reference/android/os/PowerManager. */
public final class PowerManager {
    public boolean isPowerSaveMode() {
        throw new RuntimeException("Stub!");
    }

    /** API level 29. */
    public int getCurrentThermalStatus() {
        throw new RuntimeException("Stub!");
    }

    /** API level 29. */
    public void addThermalStatusListener(Executor executor, OnThermalStatusChangedListener listener) {
        throw new RuntimeException("Stub!");
    }

    /** API level 29. */
    public interface OnThermalStatusChangedListener {
        void onThermalStatusChanged(int status);
    }
}
