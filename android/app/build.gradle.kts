import org.jetbrains.kotlin.gradle.dsl.JvmTarget

plugins {
    alias(libs.plugins.android.application)
    alias(libs.plugins.kotlin.serialization)
}

android {
    namespace = "dev.mobisdk.app"
    compileSdk = libs.versions.compileSdk.get().toInt()

    defaultConfig {
        applicationId = "dev.mobisdk.app"
        minSdk = libs.versions.minSdk.get().toInt()
        targetSdk = libs.versions.targetSdk.get().toInt()
        versionCode = 1
        // The SDK's own version, so that a log says which one measured.
        versionName =
            providers
                .fileContents(rootProject.layout.projectDirectory.file("../sdk/mobisdk/__init__.py"))
                .asText
                .map { Regex("""__version__ = "(.*)"""").find(it)!!.groupValues[1] }
                .get()
    }

    flavorDimensions += "backend"
    productFlavors {
        create("xnnpack") { isDefault = true }
        create("vulkan") { applicationIdSuffix = ".vulkan" }
        create("qnn") { applicationIdSuffix = ".qnn" }
    }

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_1_8
        targetCompatibility = JavaVersion.VERSION_1_8
    }

    androidResources {
        // A bundle is a zip of stored entries: compressing it again would only cost time on the phone.
        noCompress += "zip"
    }
}

kotlin {
    compilerOptions {
        jvmTarget = JvmTarget.JVM_1_8
    }
}

dependencies {
    implementation(project(":executorch"))
    testImplementation(libs.junit)
}
