#!/usr/bin/env bash
# dex, align, sign and verify an APK
source "$(dirname "${BASH_SOURCE[0]}")/kotlin.sh"
source "$(dirname "${BASH_SOURCE[0]}")/android.sh"

readonly APK=$BUILD/mobibench-debug.apk

# ExecuTorch's native library is not within reach here: this APK starts, and says so where a network is to be loaded.
dex() {
  local made=$BUILD/dex key
  key=$(cat $BUILD/{runtime,executorch,app,app-R}.key check/50_package.sh "$TOOLCHAIN/.ready" | sha256sum)
  if [ "$(cat $made.key 2>/dev/null)" = "$key" ]; then return; fi
  rm -rf $made $made.key
  mkdir -p $made
  find $BUILD/{runtime,executorch,app,app-R} -name '*.class' -print0 | sort -z >$made.list
  java -cp "$TOOLCHAIN/d8.jar" com.android.tools.r8.D8 --min-api $MIN_SDK --debug --output $made \
    --lib "$TOOLCHAIN/android-23.jar" --lib $BUILD/stubs --no-desugaring \
    $(tr '\0' ' ' <$made.list) "$TOOLCHAIN/executorch.jar" ${KOTLIN_CLASS_PATH//:/ }
  echo "$key" >$made.key
}

package() {
  local added=$BUILD/apk-added
  rm -rf $BUILD/unaligned.apk $APK $added
  mkdir -p $added/dev/mobisdk/runtime
  cp $BUILD/dex/classes*.dex $added/
  cp $BUILD/runtime/dev/mobisdk/runtime/*.json $added/dev/mobisdk/runtime/
  cp $BUILD/app-resources.apk $BUILD/unaligned.apk
  jar --update --no-manifest --file $BUILD/unaligned.apk -C $added .
  zipalign -p 4 $BUILD/unaligned.apk $APK
  if [ ! -e $BUILD/debug.keystore ]; then
    keytool -genkeypair -keystore $BUILD/debug.keystore -storepass android -keypass android -alias androiddebugkey \
      -keyalg RSA -keysize 2048 -validity 10000 -dname "CN=Android Debug,O=Android,C=US" 2>/dev/null
  fi
  apksigner sign --ks $BUILD/debug.keystore --ks-pass pass:android --min-sdk-version $MIN_SDK $APK
  apksigner verify --min-sdk-version $MIN_SDK --Werr $APK
}

check_contents() {
  local listing
  listing=$(unzip -Z1 $APK)
  for name in classes.dex AndroidManifest.xml resources.arsc dev/mobisdk/runtime/manifest.schema.json; do
    grep -qx "$name" <<<"$listing" || { echo "$name is not in the APK" >&2; return 1; }
  done
  # Android refuses a table that is compressed, from API level 30 on.
  [[ $(unzip -v $APK resources.arsc) == *" Stored "* ]] || { echo "resources.arsc is compressed" >&2; return 1; }
  # A stub class in the APK would stand in for the phone's own.
  if grep -aq 'Stub!' $BUILD/dex/classes*.dex; then
    echo "a stub class was packed" >&2
    return 1
  fi
}

dex
package
check_contents
ls -l --block-size=K $APK | cut -d' ' -f5- >&2
