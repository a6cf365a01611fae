package dev.mobisdk.app

import android.content.ContentProvider
import android.content.ContentValues
import android.content.Context
import android.database.Cursor
import android.database.MatrixCursor
import android.net.Uri
import android.os.ParcelFileDescriptor
import android.provider.OpenableColumns
import java.io.File
import java.io.FileNotFoundException

/** Gives another app one file for a moment: the camera a place for its photo, a receiver the log. Nothing else is reachable. */
class SharedFiles : ContentProvider() {
    override fun onCreate() = true

    private fun find(uri: Uri): File {
        val name = uri.pathSegments.singleOrNull()
        if (name != PHOTO && name != LOG) throw FileNotFoundException("$uri")
        return File((context!!.applicationContext as MobiApplication).storage.shareable, name)
    }

    override fun openFile(
        uri: Uri,
        mode: String,
    ): ParcelFileDescriptor {
        val file = find(uri)
        val isReading = mode == "r"
        if (!isReading && file.name != PHOTO) throw FileNotFoundException("$uri is for reading alone")
        return ParcelFileDescriptor.open(file, ParcelFileDescriptor.parseMode(mode))
    }

    override fun getType(uri: Uri): String = if (uri.lastPathSegment == PHOTO) "image/jpeg" else "application/x-ndjson"

    override fun query(
        uri: Uri,
        projection: Array<String>?,
        selection: String?,
        selectionArgs: Array<String>?,
        sortOrder: String?,
    ): Cursor {
        val file = find(uri)
        val cursor = MatrixCursor(arrayOf(OpenableColumns.DISPLAY_NAME, OpenableColumns.SIZE))
        cursor.addRow(arrayOf<Any>(file.name, file.length()))
        return cursor
    }

    override fun insert(
        uri: Uri,
        values: ContentValues?,
    ): Uri? = null

    override fun update(
        uri: Uri,
        values: ContentValues?,
        selection: String?,
        selectionArgs: Array<String>?,
    ) = 0

    override fun delete(
        uri: Uri,
        selection: String?,
        selectionArgs: Array<String>?,
    ) = 0

    companion object {
        const val PHOTO = "photo.jpg"
        const val LOG = "latency.jsonl"

        fun uriOf(
            context: Context,
            name: String,
        ): Uri = Uri.parse("content://${context.packageName}.files/$name")
    }
}
