package android.graphics;

import java.io.InputStream;

/** Follows https://developer.android.com/reference/android/graphics/BitmapFactory. */
public class BitmapFactory {
    public static Bitmap decodeStream(InputStream stream, Rect outPadding, Options options) {
        throw new RuntimeException("Stub!");
    }

    /** Follows https://developer.android.com/reference/android/graphics/BitmapFactory.Options. */
    public static class Options {
        public boolean inJustDecodeBounds;
        /** API level 26. */
        public ColorSpace inPreferredColorSpace;
        public boolean inPremultiplied;
        public int inSampleSize;
        public int outHeight;
        public int outWidth;
    }
}
