package android.os;

/** Follows https://developer.android.com/reference/android/os/Build. No value is a compile-time constant. */
public class Build {
    public static final String FINGERPRINT = stub();
    public static final String HARDWARE = stub();
    public static final String MANUFACTURER = stub();
    public static final String MODEL = stub();
    /** API level 31. */
    public static final String SOC_MANUFACTURER = stub();
    /** API level 31. */
    public static final String SOC_MODEL = stub();

    public static class VERSION {
        public static final String RELEASE = stub();
        public static final int SDK_INT = Integer.parseInt("0");
    }

    private static String stub() {
        return null;
    }
}
