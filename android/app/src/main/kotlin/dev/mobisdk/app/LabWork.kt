package dev.mobisdk.app

import dev.mobisdk.app.core.NoticeKind
import dev.mobisdk.app.core.UiEvent
import dev.mobisdk.app.core.Upload
import dev.mobisdk.app.core.formatAddress
import dev.mobisdk.runtime.MobiError
import dev.mobisdk.runtime.ServerError
import dev.mobisdk.runtime.lab.JoinLink
import dev.mobisdk.runtime.lab.LabClient
import dev.mobisdk.runtime.lab.PinnedTransport
import dev.mobisdk.runtime.lab.UploadProgress
import dev.mobisdk.runtime.lab.Uploader
import java.io.IOException
import java.security.GeneralSecurityException
import java.security.ProviderException
import java.util.concurrent.ExecutorService
import java.util.concurrent.Executors

/** All that goes to the lab server: nothing before a person agreed to join it, and only when a person asks. */
class LabWork(
    private val work: AppWork,
    private val storage: Storage,
) {
    private val network: ExecutorService = Executors.newSingleThreadExecutor()

    fun join(link: JoinLink) =
        network.execute {
            try {
                val client = LabClient(PinnedTransport(link.host, link.port, link.fingerprint), token = null)
                val token = client.join(link.code, AppWork.DEVICE_NAME)
                LabAccount.write(LabAccount(link.host, link.port, link.fingerprint, token), storage.labAccount)
                work.dispatch(UiEvent.Joined(formatAddress(link.host, link.port)))
                readOffers()
            } catch (error: MobiError) {
                work.dispatch(UiEvent.JoinFailed(error.message.orEmpty()))
            } catch (exc: GeneralSecurityException) {
                work.dispatch(UiEvent.JoinFailed("the token cannot be sealed: ${exc.message}"))
            } catch (exc: ProviderException) {
                work.dispatch(UiEvent.JoinFailed("the token cannot be sealed: ${exc.message}"))
            } catch (exc: IOException) {
                work.dispatch(UiEvent.JoinFailed("the token cannot be kept: ${exc.message}"))
            }
        }

    fun leave() =
        network.execute {
            LabAccount.forget(storage.labAccount)
            work.dispatch(UiEvent.Left)
        }

    fun readOffers() =
        network.execute {
            try {
                work.dispatch(UiEvent.OffersRead(makeClient().listBundles()))
            } catch (error: MobiError) {
                leaveIfVoid(error)
                work.tell(NoticeKind.LIST_FAILED, error.message.orEmpty())
            }
        }

    /** What is broken off is gone on with at the next try. */
    fun download(bundleId: String) {
        work.dispatch(UiEvent.TransferMoved(bundleId, 0.0))
        network.execute {
            try {
                var told = 0.0
                work.store.download(bundleId, makeClient()) { share ->
                    if (share - told >= LEAST_STEP || share == 1.0) {
                        told = share
                        work.dispatch(UiEvent.TransferMoved(bundleId, share))
                    }
                }
            } catch (error: MobiError) {
                leaveIfVoid(error)
                work.tell(NoticeKind.DOWNLOAD_FAILED, error.message.orEmpty())
            }
            work.dispatch(UiEvent.TransferEnded(bundleId))
            work.onDisk(work::readBundles)
        }
    }

    fun upload() {
        work.dispatch(UiEvent.UploadChanged(Upload.Sending))
        network.execute {
            try {
                count(Uploader(work.log.file, makeClient()).sendAll())
                work.dispatch(UiEvent.UploadChanged(Upload.Done))
            } catch (error: MobiError) {
                leaveIfVoid(error)
                countSent()
                work.dispatch(UiEvent.UploadChanged(Upload.Failed(error.message.orEmpty())))
            }
        }
    }

    /** What was sent before this process started. */
    fun countSent() {
        val account = LabAccount.read(storage.labAccount) ?: return
        try {
            count(Uploader(work.log.file, clientOf(account)).readProgress())
        } catch (error: MobiError) {
            work.tell(NoticeKind.LIST_FAILED, error.message.orEmpty()) // an address that is none
        }
    }

    private fun count(progress: UploadProgress) =
        work.dispatch(UiEvent.UploadCounted(progress.accepted + progress.duplicates, progress.rejected.size))

    private fun makeClient(): LabClient {
        val account =
            LabAccount.read(storage.labAccount)
                ?: throw ServerError("no server is joined, or its token is gone", hint = "Read the server's QR code again")
        return clientOf(account)
    }

    private fun clientOf(account: LabAccount) = LabClient(PinnedTransport(account.host, account.port, account.fingerprint), account.token)

    /** A token that the server does not take any more is forgotten; the log stays. */
    private fun leaveIfVoid(error: MobiError) {
        if (error !is ServerError || !error.isTokenVoid) return
        LabAccount.forget(storage.labAccount)
        work.dispatch(UiEvent.Left)
    }

    private companion object {
        const val LEAST_STEP = 0.01
    }
}
