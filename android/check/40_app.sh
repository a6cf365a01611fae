#!/usr/bin/env bash
# compile the app's resources, compile and test app/
source "$(dirname "${BASH_SOURCE[0]}")/kotlin.sh"
source "$(dirname "${BASH_SOURCE[0]}")/android.sh"

readonly USED=$BUILD/app-R:$BUILD/executorch:$BUILD/runtime

# Resources are packed against API level 23: what is newer is listed, and left out of this APK. See app/newer-attributes.txt.
copy_resources() {
  local made=$BUILD/app-resources name level
  rm -rf $made
  mkdir -p $made
  cp -r app/src/main/res app/src/main/AndroidManifest.xml $made/
  sed -i "s/\${applicationId}/$APPLICATION_ID/; s/<manifest /<manifest package=\"$APPLICATION_ID\" /" $made/AndroidManifest.xml
  while read -r name level; do
    grep -rq "android:$name\"\|android:$name=" $made ||
      { echo "app/newer-attributes.txt lists $name, which is not used" >&2; return 1; }
    echo "android: without android:$name, of API level $level" >&2
    find $made -name '*.xml' -exec sed -i -E "s/ *android:$name=\"[^\"]*\"//; /<item name=\"android:$name\">/d" {} +
  done < <(grep -v '^#' app/newer-attributes.txt)
}

link_resources() {
  aapt2 compile --dir $BUILD/app-resources/res -o $BUILD/app-resources.zip
  rm -rf $BUILD/app-R $BUILD/app-R-source
  mkdir -p $BUILD/app-R
  aapt2 link -I "$TOOLCHAIN/android-23.jar" --manifest $BUILD/app-resources/AndroidManifest.xml \
    --min-sdk-version $MIN_SDK --target-sdk-version $TARGET_SDK --version-code 1 --version-name "$VERSION_NAME" \
    --java $BUILD/app-R-source -o $BUILD/app-resources.apk $BUILD/app-resources.zip 2> >(grep -v 'is compressed' >&2)
  find $BUILD/app-R-source -name R.java -exec javac --release 8 -Xlint:-options -d $BUILD/app-R {} +
  find $BUILD/app-R-source -name R.java -exec sha256sum {} + >$BUILD/app-R.key
}

copy_resources
link_resources
compile app "$USED:$ANDROID_CLASS_PATH" -- app/src/main/kotlin
compile app-test "$BUILD/app:$USED:$JUNIT_CLASS_PATH:$ANDROID_CLASS_PATH" -Xfriend-paths=$BUILD/app -- app/src/test/kotlin
run_tests app-test "$BUILD/app:$USED"
