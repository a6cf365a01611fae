package android.media;

import java.io.IOException;
import java.io.InputStream;

/** Follows https://developer.android.com/reference/android/media/ExifInterface. */
public class ExifInterface {
    public static final int ORIENTATION_NORMAL = 1;
    public static final String TAG_ORIENTATION = "Orientation";

    /** API level 24. */
    public ExifInterface(InputStream stream) throws IOException {
        throw new RuntimeException("Stub!");
    }

    public int getAttributeInt(String tag, int defaultValue) {
        throw new RuntimeException("Stub!");
    }
}
