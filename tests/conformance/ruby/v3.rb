# frozen_string_literal: true

# What an application does with the SDK's version 3, and no more: the calls, with its default credential chain.

require 'aws-sdk-core'
require 'aws-sdk-s3'
require_relative 'application'

module Calls
  # One client for each service and endpoint, kept as an application keeps it: its credentials must outlive a refresh.
  STS = Hash.new { |kept, endpoint| kept[endpoint] = Aws::STS::Client.new(endpoint: endpoint) }
  S3 = Hash.new { |kept, endpoint| kept[endpoint] = Aws::S3::Client.new(endpoint: endpoint, force_path_style: true) }

  module_function

  def who(endpoint:)
    STS[endpoint].get_caller_identity.arn
  end

  def list(endpoint:)
    S3[endpoint].list_buckets.buckets.map(&:name)
  end

  def create_bucket(endpoint:, bucket:)
    where = { location_constraint: S3[endpoint].config.region }
    S3[endpoint].create_bucket(bucket: bucket, create_bucket_configuration: where)
    true
  end

  def put(endpoint:, bucket:, key:, body:)
    S3[endpoint].put_object(bucket: bucket, key: key, body: body)
    true
  end

  def get(endpoint:, bucket:, key:)
    S3[endpoint].get_object(bucket: bucket, key: key).body.read.force_encoding(Encoding::UTF_8)
  end
end

converse({ 'aws-sdk-core' => Aws::CORE_GEM_VERSION, 'aws-sdk-s3' => Aws::S3::GEM_VERSION }, Calls)
