import com.amazonaws.client.builder.AwsClientBuilder.EndpointConfiguration;
import com.amazonaws.regions.DefaultAwsRegionProviderChain;
import com.amazonaws.services.s3.AmazonS3;
import com.amazonaws.services.s3.AmazonS3ClientBuilder;
import com.amazonaws.services.s3.model.Bucket;
import com.amazonaws.services.s3.model.CreateBucketRequest;
import com.amazonaws.services.securitytoken.AWSSecurityTokenService;
import com.amazonaws.services.securitytoken.AWSSecurityTokenServiceClientBuilder;
import com.amazonaws.services.securitytoken.model.GetCallerIdentityRequest;
import com.amazonaws.util.VersionInfoUtils;
import java.io.IOException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * What an application does with the AWS SDK for Java 1.x, and no more: the calls, with its default credential chain.
 *
 * <p>One client for each service and endpoint, kept as an application keeps it: its credentials must outlive a refresh.
 */
public final class Client implements Application {
    private final String region = new DefaultAwsRegionProviderChain().getRegion();
    private final Map<String, AWSSecurityTokenService> sts = new HashMap<>();
    private final Map<String, AmazonS3> s3 = new HashMap<>();

    public static void main(String[] arguments) throws IOException {
        Conversation.hold(new Client());
    }

    @Override
    public Map<String, String> versions() {
        return Map.of("aws-java-sdk", VersionInfoUtils.getVersion());
    }

    @Override
    public String who(String endpoint) {
        return sts(endpoint).getCallerIdentity(new GetCallerIdentityRequest()).getArn();
    }

    @Override
    public List<String> list(String endpoint) {
        return s3(endpoint).listBuckets().stream().map(Bucket::getName).collect(Collectors.toList());
    }

    @Override
    public void createBucket(String endpoint, String bucket) {
        s3(endpoint).createBucket(new CreateBucketRequest(bucket, region));
    }

    @Override
    public void put(String endpoint, String bucket, String key, String body) {
        s3(endpoint).putObject(bucket, key, body);
    }

    @Override
    public String get(String endpoint, String bucket, String key) {
        return s3(endpoint).getObjectAsString(bucket, key);
    }

    private AWSSecurityTokenService sts(String endpoint) {
        return sts.computeIfAbsent(endpoint, at -> AWSSecurityTokenServiceClientBuilder.standard()
                .withEndpointConfiguration(new EndpointConfiguration(at, region))
                .build());
    }

    private AmazonS3 s3(String endpoint) {
        return s3.computeIfAbsent(endpoint, at -> AmazonS3ClientBuilder.standard()
                .withEndpointConfiguration(new EndpointConfiguration(at, region))
                .withPathStyleAccessEnabled(true)
                .build());
    }
}
