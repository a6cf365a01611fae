import org.jetbrains.kotlin.gradle.dsl.JvmTarget

plugins {
    alias(libs.plugins.android.library)
}

android {
    namespace = "dev.mobisdk.executorch"
    compileSdk = libs.versions.compileSdk.get().toInt()

    defaultConfig {
        minSdk = libs.versions.minSdk.get().toInt()
    }

    // One for each build of ExecuTorch: a bundle runs where its backend is.
    flavorDimensions += "backend"
    productFlavors {
        create("xnnpack") { isDefault = true }
        create("vulkan")
        create("qnn")
    }

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_1_8
        targetCompatibility = JavaVersion.VERSION_1_8
    }
}

kotlin {
    explicitApi()
    compilerOptions {
        jvmTarget = JvmTarget.JVM_1_8
    }
}

dependencies {
    api(project(":runtime"))
    "xnnpackImplementation"(libs.executorch.xnnpack)
    "vulkanImplementation"(libs.executorch.vulkan)
    "qnnImplementation"(libs.executorch.qnn)
    testImplementation(libs.junit)
}
