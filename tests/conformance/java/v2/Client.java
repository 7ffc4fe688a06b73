import java.io.IOException;
import java.net.URI;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.core.util.VersionInfo;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.model.Bucket;
import software.amazon.awssdk.services.sts.StsClient;

/**
 * What an application does with the AWS SDK for Java 2.x, and no more: the calls, with its default credential chain.
 *
 * <p>One client for each service and endpoint, kept as an application keeps it: its credentials must outlive a refresh.
 */
public final class Client implements Application {
    private final Map<String, StsClient> sts = new HashMap<>();
    private final Map<String, S3Client> s3 = new HashMap<>();

    public static void main(String[] arguments) throws IOException {
        Conversation.hold(new Client());
    }

    @Override
    public Map<String, String> versions() {
        return Map.of("aws-sdk-java-v2", VersionInfo.SDK_VERSION);
    }

    @Override
    public String who(String endpoint) {
        return sts(endpoint).getCallerIdentity().arn();
    }

    @Override
    public List<String> list(String endpoint) {
        return s3(endpoint).listBuckets().buckets().stream().map(Bucket::name).collect(Collectors.toList());
    }

    @Override
    public void createBucket(String endpoint, String bucket) {
        s3(endpoint).createBucket(request -> request.bucket(bucket));
    }

    @Override
    public void put(String endpoint, String bucket, String key, String body) {
        s3(endpoint).putObject(request -> request.bucket(bucket).key(key), RequestBody.fromString(body));
    }

    @Override
    public String get(String endpoint, String bucket, String key) {
        return s3(endpoint).getObjectAsBytes(request -> request.bucket(bucket).key(key)).asUtf8String();
    }

    private StsClient sts(String endpoint) {
        return sts.computeIfAbsent(endpoint, at -> StsClient.builder()
                .endpointOverride(URI.create(at))
                .build());
    }

    private S3Client s3(String endpoint) {
        return s3.computeIfAbsent(endpoint, at -> S3Client.builder()
                .endpointOverride(URI.create(at))
                .forcePathStyle(true)
                .build());
    }
}
